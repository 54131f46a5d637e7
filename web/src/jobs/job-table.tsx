import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { Asking, useRights } from '../common/acting.tsx'
import { duration } from '../common/format.ts'
import { Scroll, Time } from '../common/parts.tsx'
import { isOver, type JobLine, type JobOrder, orderJobs } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'
import { JobMark, seconds } from './parts.tsx'

/** Jobs that one may order about can be chosen, and ordered about together. */
export function JobTable({ jobs }: { jobs: readonly JobLine[] }) {
  const t = useMessages()
  const { me, may } = useRights()
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set())
  const all = may('workload.control')
  const mayOrder = ({ owner }: JobLine) => all || owner === me.account
  const here = jobs.filter(({ id }) => chosen.has(id))
  const orderable = jobs.some(mayOrder)
  const choose = (id: number, on: boolean) => {
    const next = new Set(chosen)
    if (on) next.add(id)
    else next.delete(id)
    setChosen(next)
  }
  return (
    <>
      <Scroll label={t.jobs.title}>
        <table className="jobs">
          <thead>
            <tr>
              {orderable && <td className="pick">{'\u00a0'}</td>}
              <th scope="col" className="num">
                {t.jobs.job}
              </th>
              <th scope="col">{t.jobs.name}</th>
              <th scope="col">{t.jobs.condition}</th>
              <th scope="col">{t.jobs.owner}</th>
              <th scope="col">{t.jobs.site}</th>
              <th scope="col">{t.jobs.submitted}</th>
              <th scope="col" className="num">
                {t.jobs.took}
              </th>
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => {
              const took = seconds(job.startedAt, job.endedAt)
              return (
                <tr key={job.id}>
                  {orderable && (
                    <td className="pick">
                      {mayOrder(job) && (
                        <input
                          type="checkbox"
                          aria-label={t.jobs.choose(job.id)}
                          checked={chosen.has(job.id)}
                          onChange={(event) => choose(job.id, event.currentTarget.checked)}
                        />
                      )}
                    </td>
                  )}
                  <td className="id">
                    <Link to="/jobs/$id" params={{ id: String(job.id) }}>
                      {job.id}
                    </Link>
                  </td>
                  <td className="break">{job.name}</td>
                  <td className={job.status === 'Failed' ? 'break' : ''}>
                    <JobMark state={job.status} />
                    {job.status === 'Failed' && <div className="quiet">{job.minor}</div>}
                  </td>
                  <td>{job.owner}</td>
                  <td>{job.site}</td>
                  <td>
                    <Time at={job.submittedAt} />
                  </td>
                  <td className="num" data-label={t.jobs.took}>
                    {took === undefined || (job.endedAt === null && isOver(job.status)) ? '' : duration(took)}
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
      {here.length > 0 && <Orders jobs={here} done={() => setChosen(new Set())} />}
    </>
  )
}

/** Steps for several jobs; which were refused, and why, is said. */
function Orders({ jobs, done }: { jobs: readonly JobLine[]; done: () => void }) {
  const t = useMessages()
  const order = async (name: JobOrder) => {
    const { refused } = await orderJobs(
      name,
      jobs.map(({ id }) => id),
    )
    if (refused.length > 0) throw new Error(refused.map(({ message }) => message).join(' '))
    done()
  }
  return (
    <section className="chosen" aria-label={t.jobs.chosen(jobs.length)}>
      <span>{t.jobs.chosen(jobs.length)}</span>
      <span className="moves">
        <Asking label={t.jobs.order.kill} question={t.jobs.sure.kill} run={() => order('kill')} />
        <Asking
          label={t.jobs.order.rerun}
          question={t.jobs.sure.rerun}
          danger={false}
          run={() => order('rerun')}
        />
      </span>
    </section>
  )
}
