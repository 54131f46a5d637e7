import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { Empty, Pending, Scroll } from '../common/parts.tsx'
import {
  MOST_TASKS,
  type ProductionShown,
  TASK_STATES,
  type Task,
  type TaskState,
  tasksQuery,
} from '../doors/productions.ts'
import { useMessages } from '../language/index.tsx'

/** Tasks of one state; those that failed first, with why. */
export function Tasks({ of }: { of: ProductionShown }) {
  const t = useMessages()
  const given = useSearch({ from: '/productions/$name' }).tasks
  // What is of most use: what failed, what is going on, what was made.
  const telling = TASK_STATES.find((one) => numberOf(of, one) > 0) ?? 'submitted'
  const state = TASK_STATES.find((one) => one === given) ?? telling
  const asked = useQuery(tasksQuery(of.name, state))
  return (
    <section className="panel flush" aria-label={t.productions.tasksTitle}>
      <div className="row headrow inset-head">
        <h2>{t.productions.tasksTitle}</h2>
      </div>
      <div className="tabs">
        {TASK_STATES.map((one) => (
          <Link
            key={one}
            to="/productions/$name"
            params={{ name: of.name }}
            search={{ tasks: one }}
            data-on={one === state}
            aria-current={one === state ? 'true' : undefined}
          >
            {t.productions.taskState[one]} <b>{count(numberOf(of, one))}</b>
          </Link>
        ))}
      </div>
      {state === 'failed' && <Failures of={of} />}
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.productions.noTasks[state]}</Empty>
      ) : (
        <>
          <Table tasks={asked.data} state={state} />
          {asked.data.length === MOST_TASKS && <Empty>{t.productions.first(MOST_TASKS)}</Empty>}
        </>
      )}
    </section>
  )
}

function numberOf({ steps }: ProductionShown, state: TaskState): number {
  const sum = (of: (step: ProductionShown['steps'][number]) => number) =>
    steps.reduce((total, step) => total + of(step), 0)
  if (state === 'verified') return sum((step) => step.verified)
  if (state === 'submitted') return sum((step) => step.waiting)
  const failed = sum((step) => step.failures.reduce((total, { tasks }) => total + tasks, 0))
  if (state === 'failed') return failed
  return Math.max(0, sum((step) => step.tasks - step.verified - step.waiting) - failed)
}

/** Why tasks failed, class by class, with one reason of each. */
function Failures({ of: { steps } }: { of: ProductionShown }) {
  const t = useMessages()
  const lines = steps.flatMap(({ name, failures }) => failures.map((one) => ({ ...one, step: name })))
  if (lines.length === 0) return null
  return (
    <ul className="plainlist inset">
      {lines.map(({ step, failure, tasks, reason }) => (
        <li key={`${step} ${failure}`}>
          <span>
            <b>{step}</b> · {failureWord(failure, t.productions.failure)} · {t.productions.times(tasks)}
          </span>
          <span className="quiet break">
            <Reason text={reason} />
          </span>
        </li>
      ))}
    </ul>
  )
}

/** A reason that begins with a job leads to it. */
function Reason({ text }: { text: string }) {
  const [, job, rest] = /^job (\d+)(: .*)$/s.exec(text) ?? []
  if (!job) return text
  return (
    <>
      <Link className="in-text" to="/jobs/$id" params={{ id: job }}>
        job {job}
      </Link>
      {rest}
    </>
  )
}

const failureWord = (failure: string, words: Readonly<Record<string, string>>) => words[failure] ?? failure

function Table({ tasks, state }: { tasks: readonly Task[]; state: TaskState }) {
  const t = useMessages()
  return (
    <Scroll label={t.productions.tasksTitle}>
      <table>
        <thead>
          <tr>
            <th scope="col" className="num">
              {t.productions.task}
            </th>
            <th scope="col">{t.productions.step}</th>
            <th scope="col" className="num">
              {t.productions.run}
            </th>
            <th scope="col" className="num">
              {t.productions.eventsTitle}
            </th>
            <th scope="col" className="num">
              {t.productions.tries}
            </th>
            <th scope="col">{t.jobs.job}</th>
            <th scope="col">{state === 'failed' ? t.productions.why : t.productions.lastWhy}</th>
          </tr>
        </thead>
        <tbody>
          {tasks.map((task) => (
            <tr key={task.id}>
              <td className="num" data-label={t.productions.task}>
                {task.id}
              </td>
              <td>
                {task.step} {task.scout && <span className="quiet">{t.productions.scout}</span>}
              </td>
              <td className="num" data-label={t.productions.run}>
                {task.run === null ? '' : `${task.experiment ?? '–'} / ${task.run}`}
              </td>
              <td className="num" data-label={t.productions.eventsTitle}>
                {task.events === null ? '' : count(task.events)}
              </td>
              <td className="num" data-label={t.productions.tries}>
                {task.tries}
              </td>
              <td>
                {task.job !== null && (
                  <Link to="/jobs/$id" params={{ id: String(task.job) }}>
                    {task.job}
                  </Link>
                )}
              </td>
              <td className="break">
                {task.failure !== null && <b>{failureWord(task.failure, t.productions.failure)}</b>}{' '}
                <Reason text={task.reason} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
