import type { ReactNode } from 'react'
import { Empty, Scroll } from '../common/parts.tsx'

export interface Column {
  readonly title: string
  /** Of numbers. */
  readonly num?: boolean
}

/** A panel with a table, or with a sentence where it has no rows; `pending` stands there while they are fetched. */
export function TablePanel({
  label,
  beside,
  action,
  columns,
  empty,
  pending,
  children,
}: {
  label: string
  /** Behind the title. */
  beside?: ReactNode
  /** At the end of the line of the title. */
  action?: ReactNode
  columns: readonly Column[]
  empty: string
  pending?: ReactNode
  children: readonly ReactNode[]
}) {
  return (
    <section className="panel flush" aria-label={label}>
      <div className="row headrow inset-head">
        <h2>
          {label}
          {beside}
        </h2>
        {action}
      </div>
      {pending ? (
        pending
      ) : children.length === 0 ? (
        <Empty>{empty}</Empty>
      ) : (
        <Scroll label={label}>
          <table>
            <thead>
              <tr>
                {columns.map(({ title, num }) => (
                  <th key={title} scope="col" className={num ? 'num' : undefined}>
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}
