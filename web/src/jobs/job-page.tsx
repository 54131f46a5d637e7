import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Asking, Panel, Step, useRights } from '../common/acting.tsx'
import { bytes, duration } from '../common/format.ts'
import { CopyCommand, Empty, Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import { isOver, type JobShown, jobQuery, orderJobs, submitAgain } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'
import { Course } from './course.tsx'
import { JobLog } from './job-log.tsx'
import { JobMark, Names, seconds } from './parts.tsx'
import { Script } from './script.tsx'
import { Why } from './why.tsx'

export function JobPage() {
  const t = useMessages()
  const { id } = useParams({ from: '/jobs/$id' })
  const asked = useQuery(jobQuery(id))
  const { me, may } = useRights()
  if (!asked.data) return <Pending of={asked} />
  const shown = asked.data
  const { job, attempts, inputs } = shown
  const orderable = me.account !== null && (may('workload.control') || job.owner === me.account)
  return (
    <>
      <div className="head">
        <h1>
          {job.id} {job.name}
        </h1>
        <JobMark state={job.status} />
        <div className="act">
          <CopyCommand command={`kumi job show ${job.id}`} />
        </div>
      </div>
      <Orders shown={shown} />
      <div className="halves">
        <Facts shown={shown} />
        <Why job={job} />
      </div>
      <JobLog job={job} attempts={attempts} />
      <div className="halves">
        <Panel title={t.jobs.inputs}>
          {inputs.length === 0 ? <Empty>{t.jobs.noInputs}</Empty> : <Names names={inputs} />}
        </Panel>
        <Results shown={shown} />
      </div>
      <Starts shown={shown} />
      {orderable && <Script id={job.id} />}
      <Course shown={shown} />
    </>
  )
}

function Orders({ shown: { job } }: { shown: JobShown }) {
  const t = useMessages()
  const navigate = useNavigate()
  const { me, may } = useRights()
  const order = (name: 'kill' | 'rerun' | 'hold' | 'release') => async () => {
    const { refused } = await orderJobs(name, [job.id])
    if (refused[0]) throw new Error(refused[0].message)
  }
  const again = async () => {
    const made = await submitAgain(job.id)
    await navigate({ to: '/jobs/$id', params: { id: String(made) } })
  }
  if (me.account === null) return null
  const allowed = may('workload.control') || job.owner === me.account
  const held = job.minor.startsWith('Held by ')
  const waits = ['Received', 'Checking', 'Waiting', 'Rescheduled'].includes(job.status)
  return (
    <div className="moves above">
      {allowed && !isOver(job.status) && (
        <Asking label={t.jobs.order.kill} question={t.jobs.sure.kill} run={order('kill')} />
      )}
      {allowed && !['Done', 'Deleted'].includes(job.status) && (
        <Asking label={t.jobs.order.rerun} question={t.jobs.sure.rerun} danger={false} run={order('rerun')} />
      )}
      {allowed && waits && (
        <Step
          label={held ? t.jobs.order.release : t.jobs.order.hold}
          run={order(held ? 'release' : 'hold')}
        />
      )}
      <Step label={t.jobs.order.again} run={again} />
    </div>
  )
}

function Facts({ shown: { job, executable, arguments: words } }: { shown: JobShown }) {
  const t = useMessages()
  const took = seconds(job.startedAt, job.endedAt)
  return (
    <Panel title={t.jobs.job}>
      <dl className="facts">
        <dt>{t.jobs.runs}</dt>
        <dd className="mono">{[executable, ...words].join(' ')}</dd>
        <dt>{t.jobs.owner}</dt>
        <dd>
          <Link className="in-text" to="/jobs" search={{ owner: job.owner }}>
            {job.owner}
          </Link>{' '}
          <span className="quiet">{job.group}</span>
        </dd>
        {job.site && (
          <>
            <dt>{t.jobs.site}</dt>
            <dd>
              <Link to="/sites/$name" params={{ name: job.site }}>
                {job.site}
              </Link>
            </dd>
          </>
        )}
        <dt>{t.jobs.priority}</dt>
        <dd>{job.priority}</dd>
        <dt>{t.jobs.submitted}</dt>
        <dd>
          <Time at={job.submittedAt} />
        </dd>
        {job.startedAt && (
          <>
            <dt>{t.jobs.started}</dt>
            <dd>
              <Time at={job.startedAt} />
            </dd>
          </>
        )}
        {job.endedAt && (
          <>
            <dt>{t.jobs.ended}</dt>
            <dd>
              <Time at={job.endedAt} />
            </dd>
          </>
        )}
        {took !== undefined && (
          <>
            <dt>{t.jobs.took}</dt>
            <dd>{duration(took)}</dd>
          </>
        )}
      </dl>
    </Panel>
  )
}

function Results({ shown: { job, made, outputs } }: { shown: JobShown }) {
  const t = useMessages()
  return (
    <section className="panel" aria-label={t.jobs.outputs}>
      <div className="row headrow">
        <h2>{t.jobs.outputs}</h2>
        {made.length > 0 && <CopyCommand command={`kumi job get ${job.id}`} />}
      </div>
      {made.length === 0 ? (
        <Empty>{outputs.length === 0 ? t.jobs.noOutputs : t.jobs.noMade}</Empty>
      ) : (
        <ul className="plainlist">
          {made.map(({ scope, name, bytes: size }) => (
            <li key={`${scope}:${name}`}>
              <Link to="/data/$scope/$name" params={{ scope, name }} className="break">
                {scope}:{name}
              </Link>
              <span className="quiet">{bytes(size)}</span>
            </li>
          ))}
        </ul>
      )}
      {outputs.map(({ pattern, dataset }) => (
        <div className="quiet" key={`${pattern} ${dataset}`}>
          {t.jobs.wished(pattern, dataset)}
        </div>
      ))}
    </section>
  )
}

const OUTCOMES = {
  done: 'ok',
  failed: 'down',
  killed: 'unknown',
  lost: 'degraded',
  site_fault: 'degraded',
  returned: 'unknown',
} as const

function Starts({ shown: { attempts } }: { shown: JobShown }) {
  const t = useMessages()
  const columns = [
    { title: t.jobs.start, num: true },
    { title: t.jobs.site },
    { title: t.jobs.outcome },
    { title: t.jobs.started },
    { title: t.jobs.took, num: true },
    { title: t.jobs.pilot },
  ]
  return (
    <TablePanel label={t.jobs.starts} columns={columns} empty={t.jobs.noStarts}>
      {attempts.map((one) => {
        const took = seconds(one.startedAt ?? one.leasedAt, one.endedAt)
        return (
          <tr key={one.n}>
            <td className="num" data-label={t.jobs.start}>
              {one.n}
            </td>
            <td>
              <Link className="in-text" to="/sites/$name" params={{ name: one.site }}>
                {one.site}
              </Link>{' '}
              <span className="quiet">{one.resource}</span>
            </td>
            <td className="break">
              {one.outcome ? (
                <Mark tone={OUTCOMES[one.outcome]}>{t.jobs.outcomes[one.outcome]}</Mark>
              ) : (
                <Mark tone="moving">{t.jobs.going}</Mark>
              )}{' '}
              <span className="quiet">
                {[one.exitCode !== null && t.jobs.exit(one.exitCode), one.reason].filter(Boolean).join(' · ')}
              </span>
            </td>
            <td>
              <Time at={one.startedAt ?? one.leasedAt} />
            </td>
            <td className="num" data-label={t.jobs.took}>
              {took === undefined ? '' : duration(took)}
            </td>
            <td className="mono break">{one.pilot}</td>
          </tr>
        )
      })}
    </TablePanel>
  )
}
