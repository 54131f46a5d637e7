import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { CopyCommand, Empty, Pending } from '../common/parts.tsx'
import { matrixQuery, type TransferList, transfersQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { Matrix } from './matrix.tsx'
import { TransferTable } from './transfer-table.tsx'

const LISTS: readonly TransferList[] = ['active', 'failed', 'queued', 'done']

export function TransfersPage() {
  const t = useMessages()
  const { state } = useSearch({ from: '/transfers' })
  const list = LISTS.find((one) => one === state) ?? 'active'
  const links = useQuery(matrixQuery)
  const transfers = useQuery(transfersQuery(list))
  return (
    <>
      <div className="head">
        <h1>{t.transfers.title}</h1>
        <div className="act">
          <CopyCommand command={`kumi transfer ls --state ${list}`} />
        </div>
      </div>
      <section className="panel flush">
        <h2>{t.transfers.matrix}</h2>
        {!links.data ? (
          <Pending of={links} />
        ) : links.data.length === 0 ? (
          <Empty>{t.transfers.noLinks}</Empty>
        ) : (
          <Matrix links={links.data} />
        )}
      </section>
      <div className="tabs">
        {LISTS.map((one) => (
          <Link
            key={one}
            to="/transfers"
            search={{ state: one }}
            data-on={one === list}
            aria-current={one === list ? 'true' : undefined}
          >
            {t.transfers.lists[one]}
          </Link>
        ))}
      </div>
      <div className="panel flush">
        {!transfers.data ? (
          <Pending of={transfers} />
        ) : transfers.data.length === 0 ? (
          <Empty>{t.transfers.none[list]}</Empty>
        ) : (
          <TransferTable transfers={transfers.data} label={t.transfers.lists[list]} />
        )}
      </div>
    </>
  )
}
