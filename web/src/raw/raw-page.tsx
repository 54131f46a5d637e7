import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { Panel } from '../common/acting.tsx'
import { bytes, count, duration, percent } from '../common/format.ts'
import { CopyCommand, Empty, Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import { flowsQuery, type RawFlow, type RawRun, type RawState, runsQuery } from '../doors/raw.ts'
import { useMessages } from '../language/index.tsx'
import { DataTabs } from './data-tabs.tsx'
import { RunMark, RunStrip, Way } from './parts.tsx'

export function RawPage() {
  const t = useMessages()
  const { flow, before } = useSearch({ from: '/raw' })
  const flows = useQuery(flowsQuery)
  return (
    <>
      <div className="head">
        <h1>{t.raw.title}</h1>
        <div className="act">
          <CopyCommand command="kumi raw ls" />
        </div>
      </div>
      <DataTabs on="raw" />
      {!flows.data ? (
        <Pending of={flows} />
      ) : flows.data.length === 0 ? (
        <div className="panel">
          <Empty>{t.raw.noFlows}</Empty>
        </div>
      ) : (
        <>
          {flows.data
            .filter(({ name }) => flow === undefined || name === flow)
            .map((one) => (
              <Flow key={one.name} flow={one} />
            ))}
          <Runs flows={flows.data} flow={flow} before={before} />
        </>
      )}
    </>
  )
}

const MEASURED = {
  verified: 'verified',
  registered: 'registered',
  archived: 'archived',
  second_copy: 'secondCopy',
  releasable: 'releasable',
} as const

/** How far the files of a flow are, and how long they take from recording to each state. */
function Flow({ flow }: { flow: RawFlow }) {
  const t = useMessages()
  const { latency } = flow
  const shares = flow.centres.reduce((sum, { share }) => sum + share, 0)
  const sent = flow.centres.reduce((sum, centre) => sum + centre.bytes, 0)
  const slow = (state: RawState) => {
    if (!latency || !(state in MEASURED)) return null
    const seconds = latency[MEASURED[state as keyof typeof MEASURED]]
    return seconds === null ? '–' : t.raw.within(duration(seconds))
  }
  return (
    <Panel title={`${t.raw.flow} ${flow.name}`}>
      <Way states={flow.states} below={slow} />
      <p className="quiet">{latency ? t.raw.latency(latency.files) : t.raw.noLatency}</p>
      <dl className="facts raw-centres">
        <dt>{t.raw.landing}</dt>
        <dd>{flow.landing}</dd>
        <dt>{t.raw.archive}</dt>
        <dd className="mono">{flow.archive}</dd>
        <dt>{t.raw.centres}</dt>
        <dd>
          {flow.centres.map((centre) => (
            <div key={centre.storages}>
              <span className="mono">{centre.storages}</span>{' '}
              <span className="quiet">
                {t.raw.centre(
                  percent(centre.share / shares),
                  bytes(centre.bytes),
                  percent(sent ? centre.bytes / sent : 0),
                )}
              </span>
            </div>
          ))}
        </dd>
      </dl>
    </Panel>
  )
}

function Runs({
  flows,
  flow,
  before,
}: {
  flows: readonly RawFlow[]
  flow: string | undefined
  before: string | undefined
}) {
  const t = useMessages()
  const navigate = useNavigate()
  const asked = useQuery(runsQuery(flow, before))
  const of = flow === undefined ? {} : { flow }
  const next = asked.data?.next
  const columns = [
    { title: t.raw.run },
    { title: t.raw.condition },
    { title: t.raw.filesTitle, num: true },
    { title: t.raw.progress },
    { title: t.raw.size, num: true },
    { title: t.raw.events, num: true },
    { title: t.raw.secondCopyAt },
    { title: t.raw.unsafe },
  ]
  return (
    <TablePanel
      label={t.raw.runs}
      above={
        flows.length > 1 && (
          <div className="tabs">
            {[undefined, ...flows.map(({ name }) => name)].map((one) => (
              <Link
                key={one ?? ''}
                to="/raw"
                search={one === undefined ? {} : { flow: one }}
                data-on={one === flow}
                aria-current={one === flow ? 'true' : undefined}
              >
                {one ?? t.raw.allFlows}
              </Link>
            ))}
          </div>
        )
      }
      columns={columns}
      empty={t.raw.noRuns}
      pending={!asked.data && <Pending of={asked} />}
      below={
        (before || next) && (
          <nav className="pages" aria-label={t.people.pages}>
            {before && (
              <Button size="xs" variant="default" onClick={() => void navigate({ to: '/raw', search: of })}>
                {t.jobs.newest}
              </Button>
            )}
            {next && (
              <Button
                size="xs"
                variant="default"
                onClick={() => void navigate({ to: '/raw', search: { ...of, before: String(next) } })}
              >
                {t.raw.older}
              </Button>
            )}
          </nav>
        )
      }
    >
      {(asked.data?.runs ?? []).map((run) => (
        <Line key={run.id} run={run} />
      ))}
    </TablePanel>
  )
}

function Line({ run }: { run: RawRun }) {
  const t = useMessages()
  return (
    <tr>
      <td>
        <Link
          to="/raw/$experiment/$run"
          params={{ experiment: String(run.experiment), run: String(run.run) }}
          search={{}}
        >
          {t.raw.runOf(run.experiment, run.run)}
        </Link>
      </td>
      <td>
        <RunMark state={run.state} />
      </td>
      <td className="num" data-label={t.raw.filesTitle}>
        {t.raw.files(run.files, run.filesExpected)}
      </td>
      <td>
        <RunStrip of={run} />
        {run.problems > 0 && <Mark tone="down">{t.raw.problems(run.problems)}</Mark>}
      </td>
      <td className="num" data-label={t.raw.size}>
        {bytes(run.bytes)}
      </td>
      <td className="num" data-label={t.raw.events}>
        {count(run.events)}
      </td>
      <td className="mono">{run.centre}</td>
      <td data-label={t.raw.unsafe}>{run.unsafeSince ? <Time at={run.unsafeSince} /> : ''}</td>
    </tr>
  )
}
