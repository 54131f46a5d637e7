import { useQuery } from '@tanstack/react-query'
import { CopyCommand, Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import { type Group, groupsQuery, leaveGroup, type Membership, selfQuery } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { GroupRequests } from './group-requests.tsx'
import { Ends, Section, Sure, useMe } from './parts.tsx'

/** The groups one is in, what one has asked for, and the way into others. */
export function GroupsPage() {
  const t = useMessages()
  const asked = useQuery(selfQuery(useMe().account))
  const groups = useQuery(groupsQuery)
  if (!asked.data) return <Pending of={asked} />
  if (!groups.data) return <Pending of={groups} />
  const mine = asked.data.groups
  return (
    <>
      <Section title={t.account.groups.mine} flush act={<CopyCommand command="kumi people show" />}>
        {mine.length === 0 ? (
          <Empty>{t.account.groups.none}</Empty>
        ) : (
          <Scroll label={t.account.groups.mine}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.account.groups.group}</th>
                  <th scope="col">{t.account.groups.kindLabel}</th>
                  <th scope="col">{t.account.groups.since}</th>
                  <th scope="col">{t.account.groups.until}</th>
                  <th scope="col">{t.account.groups.leave}</th>
                </tr>
              </thead>
              <tbody>
                {mine.map((membership) => (
                  <Row key={membership.path} {...{ membership, mine, groups: groups.data }} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Section>
      <GroupRequests groups={groups.data} mine={mine} />
    </>
  )
}

function Row({
  membership: { path, optional, role, since, until },
  mine,
  groups,
}: {
  membership: Membership
  mine: readonly Membership[]
  groups: readonly Group[]
}) {
  const t = useMessages().account.groups
  const { vo } = useMe()
  const group = groups.find((one) => one.path === path)
  const below = mine.filter((one) => one.path.startsWith(`${path}/`)).map((one) => one.path)
  return (
    <tr>
      <td className="break">
        {path}
        {group?.description && <div className="quiet">{group.description}</div>}
      </td>
      <td>{t.kind[role ? 'role' : optional ? 'optional' : 'usual']}</td>
      <td data-label={t.since}>
        <Time at={since} />
      </td>
      <td data-label={t.until}>
        <Ends at={until} />
      </td>
      <td>
        {path === `/${vo}` ? (
          <span className="quiet">{t.root}</span>
        ) : (
          group && (
            <Sure
              label={t.leave}
              of={path}
              title={t.leaveTitle(path)}
              onSure={() => leaveGroup(vo, group.id)}
            >
              <p>{t.leaveHint}</p>
              {below.length > 0 && <p>{t.leaveBelow(below.join(', '))}</p>}
            </Sure>
          )
        )}
      </td>
    </tr>
  )
}
