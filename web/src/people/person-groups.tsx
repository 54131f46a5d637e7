import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Empty, Scroll, Time } from '../common/parts.tsx'
import { addMember, dropMember, groupsQuery } from '../doors/groups.ts'
import type { Person } from '../doors/people.ts'
import { useMessages } from '../language/index.tsx'
import { Asking, ChangeForm, Day, endOfDay, Panel, useRights } from './parts.tsx'

/** The groups somebody is in, until when, and which they manage. */
export function PersonGroups({ person }: { person: Person }) {
  const t = useMessages()
  const { vo, may, manages } = useRights()
  const { data: groups = [] } = useQuery(groupsQuery)
  const mine = (path: string) => may('identity.group.manage') || manages(path)
  const idOf = (path: string) => groups.find((group) => group.path === path)?.id
  const others = groups.filter(
    ({ path }) => mine(path) && !person.groups.some((group) => group.path === path && group.until === null),
  )
  return (
    <Panel title={t.people.groups} flush>
      {person.groups.length === 0 ? (
        <Empty>{t.people.person.noGroups}</Empty>
      ) : (
        <Scroll label={t.people.groups}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.people.group}</th>
                <th scope="col">{t.people.since}</th>
                <th scope="col">{t.people.until}</th>
                <th scope="col">{t.people.change}</th>
              </tr>
            </thead>
            <tbody>
              {person.groups.map(({ path, since, until, optional, role }) => {
                const id = idOf(path)
                return (
                  <tr key={path}>
                    <td className="break">
                      {id ? (
                        <Link to="/people/groups/$id" params={{ id }}>
                          {path}
                        </Link>
                      ) : (
                        path
                      )}
                      {(role || optional) && (
                        <span className="tag">{role ? t.people.tree.role : t.people.tree.optional}</span>
                      )}
                      {person.manages.includes(path) && <span className="tag">{t.people.tree.manager}</span>}
                    </td>
                    <td data-label={t.people.since}>
                      <Time at={since} />
                    </td>
                    <td data-label={t.people.until}>{until ? <Time at={until} /> : t.people.noEnd}</td>
                    <td>
                      {id && mine(path) && person.status !== 'PENDING' && (
                        <Asking
                          label={t.people.tree.removeMember}
                          question={t.people.tree.removeSure(person.name, path)}
                          run={() => dropMember(vo, person.id, id)}
                        />
                      )}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </Scroll>
      )}
      {others.length > 0 && person.status === 'ACTIVE' && (
        <div className="inset">
          <ChangeForm
            label={t.people.person.addGroup}
            submit={t.people.person.addGroup}
            run={({ group = '', until }) => addMember(group, person.name, endOfDay(until))}
          >
            <NativeSelect
              name="group"
              label={t.people.group}
              description={'\u00a0'}
              data={others.map(({ path }) => path)}
            />
            <Day name="until" label={t.people.until} />
          </ChangeForm>
        </div>
      )}
    </Panel>
  )
}
