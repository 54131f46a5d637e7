import './software.css'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams, useSearch } from '@tanstack/react-router'
import { CopyCommand, Pending } from '../common/parts.tsx'
import { repositoryQuery } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'
import { Compare } from './compare.tsx'
import { Keys } from './keys.tsx'
import { Proposals } from './proposals.tsx'
import { Revisions } from './revisions.tsx'
import { Tree } from './tree.tsx'
import { Use } from './use.tsx'

const VIEWS = ['revisions', 'files', 'compare', 'use', 'keys'] as const

export function RepositoryPage() {
  const t = useMessages()
  const { name } = useParams({ from: '/software/$name' })
  const { view: wanted } = useSearch({ from: '/software/$name' })
  const asked = useQuery(repositoryQuery(name))
  if (!asked.data) return <Pending of={asked} />
  const view = VIEWS.find((one) => one === wanted) ?? 'revisions'
  const Shown = { revisions: Revisions, files: Tree, compare: Compare, use: Use, keys: Keys }[view]
  return (
    <>
      <div className="head">
        <h1>{name}</h1>
        <span className="quiet">{asked.data.title}</span>
        {asked.data.mirrorOf && <span className="tag">{t.software.mirror}</span>}
        <div className="act">
          <CopyCommand command={`kumi software show ${name}`} />
        </div>
      </div>
      <div className="tabs">
        {VIEWS.map((one) => (
          <Link
            key={one}
            to="/software/$name"
            params={{ name }}
            search={one === 'revisions' ? {} : { view: one }}
            activeOptions={{ exact: true, includeSearch: true }}
            data-on={one === view}
            aria-current={one === view ? 'true' : undefined}
          >
            {t.software.tabs[one]}
          </Link>
        ))}
      </div>
      {view === 'revisions' && <Proposals repository={name} />}
      <Shown repository={asked.data} />
    </>
  )
}
