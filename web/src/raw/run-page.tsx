import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { Asking, Panel, useRights } from '../common/acting.tsx'
import { bytes, count } from '../common/format.ts'
import { CopyCommand, Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import {
  MOST_FILES,
  type RawFile,
  type RawRun,
  type RawState,
  type Released,
  rawFilesQuery,
  releaseRun,
  runQuery,
} from '../doors/raw.ts'
import { useMessages } from '../language/index.tsx'
import { RunMark, StateMark, Way } from './parts.tsx'

export function RunPage() {
  const t = useMessages()
  const { experiment, run } = useParams({ from: '/raw/$experiment/$run' })
  const { state } = useSearch({ from: '/raw/$experiment/$run' })
  const asked = useQuery(runQuery(experiment, run))
  if (!asked.data) return <Pending of={asked} />
  const shown = asked.data
  const chosen = shown.states.find((one) => one.state === state)?.state
  const at = shown.dataset.indexOf(':')
  return (
    <>
      <div className="head">
        <h1>{t.raw.runOf(shown.experiment, shown.run)}</h1>
        <RunMark state={shown.state} />
        <span>{t.raw.files(shown.files, shown.filesExpected)}</span>
        {shown.problems > 0 && <Mark tone="down">{t.raw.problems(shown.problems)}</Mark>}
        <div className="act">
          <CopyCommand command={`kumi raw show ${experiment} ${run}`} />
        </div>
      </div>
      <Release of={shown} />
      <Panel title={t.raw.way}>
        <Way
          states={shown.states}
          link={(one, label) => (
            <Link
              to="/raw/$experiment/$run"
              params={{ experiment, run }}
              search={one === chosen ? {} : { state: one }}
              data-on={one === chosen}
              aria-current={one === chosen ? 'true' : undefined}
            >
              {label}
            </Link>
          )}
        />
      </Panel>
      <Files key={`${experiment} ${run} ${chosen ?? ''}`} experiment={experiment} run={run} state={chosen} />
      <Panel title={t.raw.about}>
        <dl className="facts">
          <dt>{t.raw.dataset}</dt>
          <dd>
            <Link
              to="/data/$scope/$name"
              params={{ scope: shown.dataset.slice(0, at), name: shown.dataset.slice(at + 1) }}
            >
              {shown.dataset}
            </Link>
          </dd>
          <dt>{t.raw.flow}</dt>
          <dd>{shown.flow}</dd>
          <dt>{t.raw.size}</dt>
          <dd>
            {bytes(shown.bytes)} · {t.productions.events(shown.events, null)}
          </dd>
          <dt>{t.raw.secondCopyAt}</dt>
          <dd className="mono">{shown.centre}</dd>
          {(['openedAt', 'closedAt', 'completedAt', 'releasedAt', 'unsafeSince'] as const).map((name) => {
            const time = shown[name]
            return time && <Moment key={name} name={t.raw.times[name]} at={time} />
          })}
        </dl>
      </Panel>
    </>
  )
}

const Moment = ({ name, at }: { name: string; at: string }) => (
  <>
    <dt>{name}</dt>
    <dd>
      <Time at={at} />
    </dd>
  </>
)

/** Asks what may go from the detector's disk, and says of the rest why not. */
function Release({ of }: { of: RawRun }) {
  const t = useMessages()
  const { may } = useRights()
  const [said, setSaid] = useState<Released>()
  const ask = async () => setSaid(await releaseRun(String(of.experiment), String(of.run)))
  if (!may('raw.release')) return null
  return (
    <>
      {of.state !== 'released' && (
        <div className="moves above">
          <Asking label={t.raw.release} question={t.raw.releaseSure} danger={false} run={ask} />
        </div>
      )}
      {said && (
        <section className="panel" aria-label={t.raw.release} aria-live="polite">
          <p className="flat">{t.raw.released(said.released.length)}</p>
          {said.kept.length > 0 && (
            <ul className="plainlist">
              {said.kept.slice(0, 20).map(({ name, why }) => (
                <li key={name}>
                  <span className="break">{name}</span>
                  <span className="quiet">{why}</span>
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
    </>
  )
}

function Files({ experiment, run, state }: { experiment: string; run: string; state: RawState | undefined }) {
  const t = useMessages()
  const [after, setAfter] = useState('')
  const asked = useQuery(rawFilesQuery(experiment, run, state, after))
  const last = asked.data?.length === MOST_FILES ? asked.data.at(-1) : undefined
  const columns = [
    { title: t.data.name },
    { title: t.raw.condition },
    { title: t.raw.size, num: true },
    { title: t.raw.events, num: true },
    { title: t.raw.since },
    { title: t.data.copies },
  ]
  return (
    <TablePanel
      label={t.raw.filesTitle}
      beside={state && `: ${t.raw.state[state]}`}
      columns={columns}
      empty={t.raw.noFiles}
      pending={!asked.data && <Pending of={asked} />}
      below={
        (after || last) && (
          <nav className="pages" aria-label={t.people.pages}>
            {after && (
              <Button size="xs" variant="default" onClick={() => setAfter('')}>
                {t.raw.firstFiles}
              </Button>
            )}
            {last && (
              <Button size="xs" variant="default" onClick={() => setAfter(last.name)}>
                {t.raw.nextFiles}
              </Button>
            )}
          </nav>
        )
      }
    >
      {(asked.data ?? []).map((file) => (
        <FileLine key={file.name} file={file} />
      ))}
    </TablePanel>
  )
}

function FileLine({ file }: { file: RawFile }) {
  const t = useMessages()
  const since = file.times.find(({ state }) => state === file.state)?.at
  return (
    <tr>
      <td className="break">
        {file.name} <span className="quiet">{file.stream}</span>
      </td>
      <td className={file.problem ? 'break' : ''}>
        <StateMark state={file.state} />
        {file.problem && <div className="error">{file.problem}</div>}
      </td>
      <td className="num" data-label={t.raw.size}>
        {bytes(file.bytes)}
      </td>
      <td className="num" data-label={t.raw.events}>
        {count(file.events)}
      </td>
      <td>{since ? <Time at={since} /> : ''}</td>
      <td>
        {file.copies.map(({ rse, tape, available, verifiedAt }) => (
          <div key={rse}>
            <Mark tone={available && verifiedAt ? 'ok' : available ? 'unknown' : 'moving'}>
              {rse} {tape && t.raw.tape}
            </Mark>{' '}
            <span className="quiet">{verifiedAt ? t.raw.verified : t.raw.unverified}</span>
          </div>
        ))}
      </td>
    </tr>
  )
}
