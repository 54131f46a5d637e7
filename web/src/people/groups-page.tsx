import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { Empty, Pending } from '../common/parts.tsx'
import { type Group, groupsQuery } from '../doors/groups.ts'
import { useMessages } from '../language/index.tsx'
import { NewGroup } from './new-group.tsx'
import { PeoplePage, useRights } from './parts.tsx'

/** The tree of groups, as everybody sees it. */
export function GroupsPage() {
  const t = useMessages()
  const { may, me } = useRights()
  const asked = useQuery(groupsQuery)
  const root = asked.data?.[0]
  return (
    <PeoplePage command="kumi group ls" allowed>
      {!may('identity.people.read') && (
        <p className="quiet">{me.manages.length > 0 ? t.people.tree.someYours : t.people.tree.noneYours}</p>
      )}
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : (
          <>
            <ul className="tree">
              {asked.data.map((group) => (
                <Line key={group.id} group={group} />
              ))}
            </ul>
            {asked.data.length === 1 && <Empty>{t.people.tree.onlyRoot}</Empty>}
          </>
        )}
      </div>
      {root && may('identity.write') && <NewGroup parent={root} />}
    </PeoplePage>
  )
}

function Line({ group }: { group: Group }) {
  const t = useMessages()
  const { manages } = useRights()
  const { path, members, description, optional, role } = group
  const depth = path.split('/').length - 2
  return (
    <li style={{ paddingInlineStart: `${16 + depth * 22}px` }}>
      <span className="break">
        <Link to="/people/groups/$id" params={{ id: group.id }} aria-label={path}>
          {depth === 0 ? path : path.slice(path.lastIndexOf('/') + 1)}
        </Link>
        {(role || optional) && (
          <span className="tag">{role ? t.people.tree.role : t.people.tree.optional}</span>
        )}
        {manages(path) && <span className="tag">{t.people.tree.yours}</span>}{' '}
        <span className="quiet">{description}</span>
      </span>
      <span className="num quiet">{t.people.tree.members(count(members), members)}</span>
    </li>
  )
}
