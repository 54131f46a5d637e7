import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import { groupsQuery } from '../doors/groups.ts'
import { createUser, INDIGO_USER, peopleQuery, type User } from '../doors/people.ts'
import { type Policies, policiesQuery } from '../doors/policies.ts'
import { useMessages } from '../language/index.tsx'
import { ChangeForm, Pages, PeoplePage, useRights } from './parts.tsx'

const SIZE = 50
const SOON_DAYS = 30
const DAY_MS = 86_400_000
export const STATES = ['active', 'inactive', 'ending', 'unsigned', 'services'] as const
type State = (typeof STATES)[number]

/** Everybody of the VO: search, filter, pages. */
export function MembersPage() {
  const { may } = useRights()
  return (
    <PeoplePage command="kumi people ls" allowed={may('identity.people.read')}>
      <Members />
    </PeoplePage>
  )
}

function Members() {
  const t = useMessages()
  const { may } = useRights()
  const navigate = useNavigate()
  const asked = useSearch({ from: '/people/members' })
  const groups = useQuery(groupsQuery)
  const policies = useQuery(policiesQuery)
  const state = STATES.find((one) => one === asked.state)
  const start = Math.max(1, Number(asked.start) || 1)
  const filter = filterOf({ ...asked, state }, policies.data)
  const found = useQuery({
    ...peopleQuery(filter, start, SIZE),
    // Who has not signed is a question about the version in force.
    enabled: state !== 'unsigned' || policies.data !== undefined,
    placeholderData: keepPreviousData,
  })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string) => String(form.get(name) ?? '').trim()
    void navigate({
      to: '/people/members',
      search: Object.fromEntries(
        ['find', 'state', 'group'].flatMap((name) => (value(name) ? [[name, value(name)]] : [])),
      ),
    })
  }
  return (
    <>
      <form className="panel form" onSubmit={submit} key={JSON.stringify(asked)} aria-label={t.people.find}>
        <TextInput
          className="grow"
          name="find"
          label={t.people.find}
          placeholder={t.people.findHint}
          defaultValue={asked.find ?? ''}
        />
        <NativeSelect
          name="state"
          label={t.people.state}
          data={[
            { value: '', label: t.people.anyState },
            ...STATES.map((value) => ({ value, label: t.people.states[value] })),
          ]}
          defaultValue={state ?? ''}
        />
        <NativeSelect
          name="group"
          label={t.people.group}
          data={[
            { value: '', label: t.people.anyGroup },
            ...(groups.data ?? []).map(({ path }) => ({ value: path, label: path })),
          ]}
          defaultValue={asked.group ?? ''}
        />
        <div className="send">
          <Button type="submit">{t.people.search}</Button>
        </div>
      </form>
      <div className="panel flush">
        {!found.data ? (
          <Pending of={found} />
        ) : found.data.total === 0 ? (
          <Empty>{t.people.nobody}</Empty>
        ) : (
          <>
            <Scroll label={t.people.tabs.members}>
              <table>
                <thead>
                  <tr>
                    <th scope="col">{t.people.name}</th>
                    <th scope="col">{t.people.state}</th>
                    <th scope="col">{t.people.address}</th>
                    <th scope="col">{t.people.groups}</th>
                    <th scope="col">{t.people.membershipEnds}</th>
                  </tr>
                </thead>
                <tbody>
                  {found.data.items.map((user) => (
                    <Row key={user.id} user={user} />
                  ))}
                </tbody>
              </table>
            </Scroll>
            <Pages
              total={found.data.total}
              start={start}
              size={SIZE}
              go={(next) =>
                void navigate({ to: '/people/members', search: { ...asked, start: String(next) } })
              }
            />
          </>
        )}
      </div>
      {may('identity.write') && <NewPerson />}
    </>
  )
}

function Row({ user }: { user: User }) {
  const t = useMessages()
  const more = user[INDIGO_USER]
  const waits = !user.active && user.groups.length === 0 && !more.serviceAccount
  const ended = more.labels.some(({ prefix, name }) => !prefix && name === 'lifecycle.status')
  const state = user.active ? 'active' : waits ? 'waiting' : ended ? 'ended' : 'stopped'
  const tones = { active: 'ok', waiting: 'moving', ended: 'down', stopped: 'down' } as const
  return (
    <tr>
      <td className="break">
        <Link to="/people/members/$name" params={{ name: user.userName }}>
          {user.displayName}
        </Link>{' '}
        {user.displayName !== user.userName && <span className="quiet">{user.userName}</span>}
        {more.authorities.includes('ROLE_ADMIN') && <span className="tag">{t.people.administrator}</span>}
        {more.serviceAccount && <span className="tag">{t.people.service}</span>}
      </td>
      <td>
        <Mark tone={tones[state]}>{t.people.short[state]}</Mark>
      </td>
      <td className="break">{user.emails.find(({ primary }) => primary)?.value}</td>
      <td className="break quiet">
        {user.groups
          .filter(({ display }) => display.includes('/'))
          .map(({ display }) => `/${display}`)
          .join(', ')}
      </td>
      <td data-label={t.people.membershipEnds}>{more.endTime && <Time at={more.endTime} />}</td>
    </tr>
  )
}

function NewPerson() {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  if (!open) {
    return (
      <Button size="xs" variant="default" onClick={() => setOpen(true)}>
        {t.people.newPerson}
      </Button>
    )
  }
  return (
    <section className="panel" aria-label={t.people.newPerson}>
      <h2>{t.people.newPerson}</h2>
      <ChangeForm
        label={t.people.newPerson}
        submit={t.people.create}
        run={({ userName = '', givenName = '', familyName = '', institute = '', email = '', service }) =>
          createUser(
            userName,
            { givenName, familyName, institute, emails: email ? [email] : [] },
            service !== undefined,
          )
        }
      >
        <TextInput
          name="userName"
          label={t.people.userName}
          required
          autoComplete="off"
          pattern="[a-z0-9_\-]{1,25}"
          title={t.people.userNameHint}
        />
        <TextInput name="givenName" label={t.people.givenName} autoComplete="off" />
        <TextInput name="familyName" label={t.people.familyName} autoComplete="off" />
        <TextInput name="institute" label={t.people.institute} autoComplete="off" />
        <TextInput name="email" type="email" label={t.people.address} autoComplete="off" />
        <Checkbox className="aligned" name="service" label={t.people.isService} />
      </ChangeForm>
    </section>
  )
}

/** The question in the words of SCIM (RFC 7644 §3.4.2.2). */
export function filterOf(
  asked: { find?: string | undefined; state?: State | undefined; group?: string | undefined },
  policies: Policies | undefined,
): string {
  const text = (value: string) => JSON.stringify(value)
  const now = Date.now()
  const parts: string[] = []
  if (asked.find) {
    const fields = ['userName', 'displayName', 'emails.value', 'organization']
    parts.push(`(${fields.map((field) => `${field} co ${text(asked.find!)}`).join(' or ')})`)
  }
  if (asked.group) parts.push(`groups.display eq ${text(asked.group.slice(1))}`)
  if (asked.state === 'active') parts.push('active eq true')
  if (asked.state === 'inactive') parts.push('active eq false')
  if (asked.state === 'services') parts.push('serviceAccount eq true')
  if (asked.state === 'ending') {
    // To the minute: a question that changes at every look is never answered from memory.
    const soon = Math.ceil((now + SOON_DAYS * DAY_MS) / 60_000) * 60_000
    parts.push(`active eq true and endTime le ${text(new Date(soon).toISOString())}`)
  }
  if (asked.state === 'unsigned') {
    const inForce = policies?.versions.find(({ withdrawnAt }) => withdrawnAt === null)
    const signed = inForce && Date.parse(inForce.signFrom)
    const valid = inForce?.validityDays
      ? Math.floor((now - inForce.validityDays * DAY_MS) / 60_000) * 60_000
      : 0
    parts.push('active eq true and serviceAccount eq false')
    if (signed !== undefined) {
      parts.push(`not (aupSignatureTime ge ${text(new Date(Math.max(signed, valid)).toISOString())})`)
    } else parts.push('id eq "none"')
  }
  return parts.join(' and ')
}
