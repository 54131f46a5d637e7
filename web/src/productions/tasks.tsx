import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { Empty, Pending } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
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
  const columns = [
    { title: t.productions.task, num: true },
    { title: t.productions.step },
    { title: t.productions.run, num: true },
    { title: t.productions.eventsTitle, num: true },
    { title: t.productions.tries, num: true },
    { title: t.jobs.job },
    { title: state === 'failed' ? t.productions.why : t.productions.lastWhy },
  ]
  return (
    <TablePanel
      label={t.productions.tasksTitle}
      above={
        <>
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
        </>
      }
      columns={columns}
      empty={t.productions.noTasks[state]}
      pending={!asked.data && <Pending of={asked} />}
      below={asked.data?.length === MOST_TASKS && <Empty>{t.productions.first(MOST_TASKS)}</Empty>}
    >
      {(asked.data ?? []).map((task) => (
        <Line key={task.id} task={task} />
      ))}
    </TablePanel>
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

function Line({ task }: { task: Task }) {
  const t = useMessages()
  return (
    <tr>
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
  )
}
