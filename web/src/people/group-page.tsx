import { Autocomplete, Button, TextInput } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import {
  addMember,
  deleteGroup,
  describeGroup,
  dropMember,
  type Group,
  groupAttributesQuery,
  groupLabelsQuery,
  groupsQuery,
  managersQuery,
  membersQuery,
  setManager,
} from '../doors/groups.ts'
import { peopleQuery } from '../doors/people.ts'
import { useMessages } from '../language/index.tsx'
import { AttributeList, LabelList } from './labels.tsx'
import { NewGroup } from './new-group.tsx'
import { Asking, ChangeForm, Day, endOfDay, Pages, Panel, PeoplePage, useRights } from './parts.tsx'

const SIZE = 50

/** One group: members, managers, what is below it. */
export function GroupPage() {
  const t = useMessages()
  const { id } = useParams({ from: '/people/groups/$id' })
  const asked = useQuery(groupsQuery)
  const group = asked.data?.find((one) => one.id === id)
  return (
    <PeoplePage
      title={group?.path ?? t.people.group}
      command={`kumi group show ${group?.path ?? ''}`}
      allowed
    >
      {!asked.data ? (
        <Pending of={asked} />
      ) : group ? (
        <Whole group={group} all={asked.data} />
      ) : (
        <div className="panel">
          <Empty>
            {t.people.tree.gone} <Link to="/people/groups">{t.people.tabs.groups}</Link>
          </Empty>
        </div>
      )}
    </PeoplePage>
  )
}

function Whole({ group, all }: { group: Group; all: readonly Group[] }) {
  const t = useMessages()
  const { vo, may, manages } = useRights()
  const { tree } = t.people
  const sees = may('identity.people.read') || manages(group.path)
  const changes = may('identity.group.manage') || manages(group.path)
  const write = may('identity.write')
  const children = all.filter(
    ({ path }) => path.startsWith(`${group.path}/`) && !path.slice(group.path.length + 1).includes('/'),
  )
  const parent = all.find(({ path }) => path === group.path.slice(0, group.path.lastIndexOf('/')))
  return (
    <>
      <Panel title={tree.about}>
        <dl className="facts">
          <dt>{tree.kind}</dt>
          <dd>{tree[group.role ? 'role' : group.optional ? 'optional' : 'plain']}</dd>
          {group.description && (
            <>
              <dt>{tree.description}</dt>
              <dd>{group.description}</dd>
            </>
          )}
          {parent && (
            <>
              <dt>{tree.above}</dt>
              <dd>
                <Link to="/people/groups/$id" params={{ id: parent.id }}>
                  {parent.path}
                </Link>
              </dd>
            </>
          )}
          {children.length > 0 && (
            <>
              <dt>{tree.below}</dt>
              <dd>
                {children.map((child) => (
                  <span key={child.id} className="inlineitem">
                    <Link to="/people/groups/$id" params={{ id: child.id }}>
                      {child.path.slice(group.path.length + 1)}
                    </Link>
                  </span>
                ))}
              </dd>
            </>
          )}
        </dl>
        {write && <About group={group} root={!parent} empty={children.length === 0} />}
      </Panel>
      {sees ? (
        <>
          <Members group={group} changes={changes} />
          <Managers group={group} write={write} />
        </>
      ) : (
        <div className="panel">
          <Empty>{tree.membersHidden}</Empty>
        </div>
      )}
      {write && (
        <>
          <NewGroup parent={group} />
          <Keys vo={vo} id={group.id} />
        </>
      )}
    </>
  )
}

function About({ group, root, empty }: { group: Group; root: boolean; empty: boolean }) {
  const t = useMessages()
  const { tree } = t.people
  const { vo } = useRights()
  const navigate = useNavigate()
  return (
    <>
      <ChangeForm
        key={group.description}
        label={tree.description}
        submit={t.people.save}
        run={({ description = '' }) => describeGroup(vo, group.id, description)}
      >
        <TextInput
          className="grow"
          name="description"
          label={tree.description}
          defaultValue={group.description}
          maxLength={1000}
        />
      </ChangeForm>
      {!root && (
        <div className="moves">
          {group.members === 0 && empty ? (
            <Asking
              label={tree.delete}
              question={tree.deleteSure(group.path)}
              run={async () => {
                await deleteGroup(group.id)
                await navigate({ to: '/people/groups' })
              }}
            />
          ) : (
            <span className="quiet">{tree.deleteHint}</span>
          )}
        </div>
      )}
    </>
  )
}

function Members({ group, changes }: { group: Group; changes: boolean }) {
  const t = useMessages()
  const { tree } = t.people
  const { vo } = useRights()
  const navigate = useNavigate()
  const asked = useSearch({ from: '/people/groups/$id' })
  const start = Math.max(1, Number(asked.start) || 1)
  const find = asked.find ?? ''
  const found = useQuery({
    ...membersQuery(group.path, find, start - 1, SIZE),
    placeholderData: keepPreviousData,
  })
  const go = (search: { find?: string; start?: string }) =>
    void navigate({ to: '/people/groups/$id', params: { id: group.id }, search })
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const value = String(new FormData(event.currentTarget).get('find') ?? '').trim()
    go(value ? { find: value } : {})
  }
  return (
    <Panel title={tree.membersTitle} flush>
      {(find !== '' || (found.data?.total ?? 0) > SIZE) && (
        <form className="form inset" onSubmit={search} key={find} aria-label={t.people.find}>
          <TextInput name="find" label={t.people.userName} defaultValue={find} />
          <div className="send">
            <Button type="submit" variant="default">
              {t.people.search}
            </Button>
          </div>
        </form>
      )}
      {!found.data ? (
        <Pending of={found} />
      ) : found.data.total === 0 ? (
        <Empty>{find ? t.people.nobody : tree.noMembers}</Empty>
      ) : (
        <>
          <Scroll label={tree.membersTitle}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.people.userName}</th>
                  <th scope="col">{t.people.since}</th>
                  <th scope="col">{t.people.until}</th>
                  {changes && <th scope="col">{t.people.change}</th>}
                </tr>
              </thead>
              <tbody>
                {found.data.items.map(({ id, name, since, until }) => (
                  <tr key={id}>
                    <td className="break">
                      <Link to="/people/members/$name" params={{ name }}>
                        {name}
                      </Link>
                    </td>
                    <td data-label={t.people.since}>
                      <Time at={since} />
                    </td>
                    <td data-label={t.people.until}>{until ? <Time at={until} /> : t.people.noEnd}</td>
                    {changes && (
                      <td>
                        <Asking
                          label={tree.removeMember}
                          question={tree.removeSure(name, group.path)}
                          run={() => dropMember(vo, id, group.id)}
                        />
                      </td>
                    )}
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
          <Pages
            total={found.data.total}
            start={start}
            size={SIZE}
            go={(next) => go({ ...(find && { find }), start: String(next) })}
          />
        </>
      )}
      {changes && (
        <div className="inset">
          <ChangeForm
            label={tree.addMember}
            submit={tree.addMember}
            run={({ name = '', until }) => addMember(group.path, name, endOfDay(until))}
          >
            <PersonField name="name" label={t.people.userName} hint={tree.addHint} />
            <Day name="until" label={t.people.until} />
          </ChangeForm>
        </div>
      )}
    </Panel>
  )
}

function Managers({ group, write }: { group: Group; write: boolean }) {
  const t = useMessages()
  const { tree } = t.people
  const { vo } = useRights()
  const asked = useQuery(managersQuery(vo, group.id))
  return (
    <Panel title={tree.managers}>
      <p className="quiet">{tree.managersHint}</p>
      {!asked.data ? (
        <Pending of={asked} />
      ) : (
        <ul className="plainlist">
          {asked.data.map(({ userName, displayName }) => (
            <li key={userName}>
              <Link to="/people/members/$name" params={{ name: userName }}>
                {displayName}
              </Link>
              {write && (
                <Asking
                  label={tree.removeManager}
                  question={tree.removeManagerSure(userName, group.path)}
                  run={() => setManager(vo, userName, group.id, false)}
                />
              )}
            </li>
          ))}
          {asked.data.length === 0 && <li className="quiet">{tree.noManagers}</li>}
        </ul>
      )}
      {write && (
        <ChangeForm
          label={tree.addManager}
          submit={tree.addManager}
          run={({ manager = '' }) => setManager(vo, manager, group.id, true)}
        >
          <PersonField name="manager" label={t.people.userName} hint={tree.addHint} />
        </ChangeForm>
      )}
    </Panel>
  )
}

/** A field for a user name; whoever may search gets suggestions from the second letter on. */
export function PersonField({ name, label, hint }: { name: string; label: string; hint: string }) {
  const { may } = useRights()
  const [typed, setTyped] = useState('')
  const text = JSON.stringify(typed)
  const found = useQuery({
    ...peopleQuery(`active eq true and (userName co ${text} or displayName co ${text})`, 1, 10),
    enabled: typed.length > 1 && may('identity.people.read'),
    placeholderData: keepPreviousData,
  })
  const names = (found.data?.items ?? []).map(({ userName }) => userName)
  return (
    <Autocomplete
      name={name}
      label={label}
      description={hint}
      value={typed}
      onChange={setTyped}
      data={[...new Set(names)]}
      // The server has searched already, by full names too.
      filter={({ options }) => options}
      required
    />
  )
}

function Keys({ vo, id }: { vo: string; id: string }) {
  const t = useMessages()
  const labels = useQuery(groupLabelsQuery(vo, id))
  const attributes = useQuery(groupAttributesQuery(vo, id))
  return (
    <div className="halves">
      <Panel title={t.people.labels.labels}>
        {labels.data ? <LabelList holder="group" id={id} labels={labels.data} /> : <Pending of={labels} />}
      </Panel>
      <Panel title={t.people.labels.attributes}>
        {attributes.data ? (
          <AttributeList holder="group" id={id} attributes={attributes.data} />
        ) : (
          <Pending of={attributes} />
        )}
      </Panel>
    </div>
  )
}
