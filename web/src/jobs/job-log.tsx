import { NativeSelect } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import { CopyCommand, Empty } from '../common/parts.tsx'
import { type Attempt, type Job, jobLog } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'

const PAUSE_MS = 2000
/** More than this is not kept on the screen; the command shows all of it. */
const MOST = 400_000
const AT_FIRST = 100_000

interface Log {
  text: string
  cut: boolean
  over: boolean
  problem: string
}
const NOTHING: Log = { text: '', cut: false, over: false, problem: '' }

/** What a start wrote so far, going on while it writes. */
function useLog(id: number, stream: 'out' | 'err', attempt: number): Log {
  const [log, setLog] = useState(NOTHING)
  useEffect(() => {
    const stop = new AbortController()
    setLog(NOTHING)
    const follow = async () => {
      for (let from: number | undefined; !stop.signal.aborted; ) {
        // What it said last tells most.
        const where = from === undefined ? { last: AT_FIRST } : { from }
        const part = await jobLog(id, { stream, attempt, ...where }, stop.signal)
        const more = part.next > part.from
        from = part.next
        setLog((before) => {
          const text = before.text + part.text
          const cut = text.length > MOST || (before.text === '' && part.from > 0)
          return {
            ...{ text: text.slice(-MOST), cut: before.cut || cut },
            ...{ over: part.over && !more, problem: '' },
          }
        })
        if (more) continue
        if (part.over) return
        await new Promise((resolve) => window.setTimeout(resolve, PAUSE_MS))
      }
    }
    follow().catch((error: Error) => {
      if (!stop.signal.aborted) setLog((before) => ({ ...before, over: true, problem: error.message }))
    })
    return () => stop.abort()
  }, [id, stream, attempt])
  return log
}

/** Keeps the last line in sight, unless somebody reads further up. */
function useEnd(text: string) {
  const pane = useRef<HTMLPreElement>(null)
  const at = useRef(0)
  useEffect(() => {
    const { current } = pane
    if (!current || (text !== '' && current.scrollTop < at.current)) return
    current.scrollTop = current.scrollHeight
    at.current = current.scrollTop
  }, [text])
  return pane
}

export function JobLog({ job, attempts }: { job: Job; attempts: readonly Attempt[] }) {
  const t = useMessages()
  const [stream, setStream] = useState<'out' | 'err'>('out')
  const [chosen, setChosen] = useState(0)
  const attempt = chosen || job.attempt
  const log = useLog(job.id, stream, attempt)
  const pane = useEnd(log.text)
  const command = [
    'kumi job logs',
    !log.over && '-f',
    stream === 'err' && '--err',
    chosen > 0 && chosen !== job.attempt && `--attempt ${chosen}`,
    job.id,
  ]
  return (
    <section className="panel flush" aria-label={t.jobs.log}>
      <div className="row headrow inset-head">
        <h2>{t.jobs.log}</h2>
        <CopyCommand command={command.filter(Boolean).join(' ')} />
      </div>
      <div className="tabs">
        {(['out', 'err'] as const).map((one) => (
          <button
            type="button"
            key={one}
            data-on={one === stream}
            aria-pressed={one === stream}
            onClick={() => setStream(one)}
          >
            {t.jobs[one]}
          </button>
        ))}
        {attempts.length > 1 && (
          <NativeSelect
            size="xs"
            aria-label={t.jobs.start}
            value={String(attempt)}
            data={attempts.map(({ n }) => ({ value: String(n), label: `${t.jobs.start} ${n}` }))}
            onChange={(event) => setChosen(Number(event.currentTarget.value))}
          />
        )}
        {!log.over && job.attempt > 0 && (
          <span className="live" data-on="true">
            {t.jobs.following}
          </span>
        )}
      </div>
      {log.problem && (
        <p className="empty error" role="alert">
          {log.problem}
        </p>
      )}
      {log.cut && <Empty>{t.jobs.cut}</Empty>}
      {log.text === '' ? (
        <Empty>{log.over ? t.jobs.noLogAtAll : t.jobs.noLog}</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable without a mouse
        <pre className="log" tabIndex={0} ref={pane}>
          {log.text}
        </pre>
      )}
    </section>
  )
}
