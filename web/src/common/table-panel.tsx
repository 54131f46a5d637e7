import type { ReactNode } from 'react'
import { Empty, Scroll } from './parts.tsx'

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
  above,
  columns,
  empty,
  pending,
  below,
  children,
}: {
  label: string
  /** Behind the title. */
  beside?: ReactNode
  /** At the end of the line of the title. */
  action?: ReactNode
  /** Between the title and the table. */
  above?: ReactNode
  columns: readonly Column[]
  empty: string
  pending?: ReactNode
  /** Behind the table: where the list goes on. */
  below?: ReactNode
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
      {above}
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
      {below}
    </section>
  )
}
