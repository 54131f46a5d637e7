import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { bytes } from '../common/format.ts'
import { CopyCommand, Empty, Mark, Pending, Scroll } from '../common/parts.tsx'
import { type Compared, compareQuery, type Repository, revisionsQuery } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'

const MOST = 1000

/** How two revisions differ. */
export function Compare({ repository }: { repository: Repository }) {
  const t = useMessages()
  const navigate = useNavigate()
  const asked = useSearch({ from: '/software/$name' })
  const { name, tags, revision } = repository
  const revisions = useQuery(revisionsQuery(name, MOST))
  const kept = revisions.data?.filter(({ droppedAt }) => droppedAt === null) ?? []
  const to = Number(asked.to) || revision
  const from = Number(asked.from) || (kept.find((one) => one.revision < to)?.revision ?? to)
  const choices = kept.map(({ revision: number }) => {
    const own = tags.filter((tag) => tag.revision === number).map((tag) => tag.name)
    return {
      value: String(number),
      label: own.length > 0 ? `${number} (${own.join(', ')})` : String(number),
    }
  })
  const choose = (change: { from?: string; to?: string }) =>
    void navigate({
      to: '/software/$name',
      params: { name },
      search: { view: 'compare', from: String(from), to: String(to), ...change },
    })
  const word = (number: number) =>
    tags.find((tag) => tag.revision === number)?.name ??
    kept.find((one) => one.revision === number)?.rootHash ??
    ''
  if (!revisions.data) return <Pending of={revisions} />
  return (
    <section className="panel flush" aria-label={t.software.tabs.compare}>
      <div className="form inset-head headrow">
        <NativeSelect
          label={t.software.before}
          data={choices}
          value={String(from)}
          onChange={(event) => choose({ from: event.currentTarget.value })}
        />
        <NativeSelect
          label={t.software.after}
          data={choices}
          value={String(to)}
          onChange={(event) => choose({ to: event.currentTarget.value })}
        />
        <div className="send">
          <CopyCommand command={`kumi software diff ${name}@${word(from)} ${word(to)}`} />
        </div>
      </div>
      <Difference name={name} from={from} to={to} />
    </section>
  )
}

const TONES = { added: 'ok', changed: 'moving', removed: 'down' } as const

function Difference({ name, from, to }: { name: string; from: number; to: number }) {
  const asked = useQuery(compareQuery(name, from, to))
  if (!asked.data) return <Pending of={asked} />
  return (
    <Differences compared={asked.data}>
      {({ path, what }) => (
        <Link
          to="/software/$name"
          params={{ name }}
          search={{ view: 'files', revision: String(what === 'removed' ? from : to), path }}
        >
          {path || '/'}
        </Link>
      )}
    </Differences>
  )
}

/** What differs; `children` shows a path. */
export function Differences({
  compared: { added, changed, removed, paths, whole },
  children,
}: {
  compared: Compared
  children: (one: Compared['paths'][number]) => ReactNode
}) {
  const t = useMessages()
  const all = added + changed + removed
  if (all === 0 && whole) return <Empty>{t.software.same}</Empty>
  return (
    <>
      <p className="crumbs">
        {t.software.counts(added, changed, removed)}{' '}
        {!whole && <Mark tone="degraded">{t.software.notWhole}</Mark>}
      </p>
      <Scroll label={t.software.difference}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.software.change}</th>
              <th scope="col">{t.software.name}</th>
              <th scope="col" className="num">
                {t.software.size}
              </th>
            </tr>
          </thead>
          <tbody>
            {paths.map((one) => (
              <tr key={one.path}>
                <td>
                  <Mark tone={TONES[one.what]}>{t.software.what[one.what]}</Mark>
                </td>
                <td className="break">{children(one)}</td>
                <td className="num">{sizes(one)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {paths.length < all && <Empty>{t.software.first(paths.length, all)}</Empty>}
    </>
  )
}

function sizes({ kind, before, after }: Compared['paths'][number]): string {
  if (kind !== 'file') return ''
  if (before === null || after === null) return bytes(before ?? after)
  return before === after ? bytes(after) : `${bytes(before)} → ${bytes(after)}`
}
