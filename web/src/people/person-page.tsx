import { TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { Mark, Pending, Time } from '../common/parts.tsx'
import { sendPasswordLink } from '../doors/passwords.ts'
import {
  changeProfile,
  decideStanding,
  INDIGO_USER,
  type Person,
  personQuery,
  setAdministrator,
  setEndTime,
  userQuery,
} from '../doors/people.ts'
import { useMessages } from '../language/index.tsx'
import { AuditTable } from './audit-table.tsx'
import { AttributeList, LabelList } from './labels.tsx'
import {
  Asking,
  ChangeForm,
  Day,
  dayOf,
  endOfDay,
  Panel,
  PeoplePage,
  StandingMark,
  useRights,
} from './parts.tsx'
import { Certificates, Permissions, Sessions, SignatureFacts } from './person-credentials.tsx'
import { PersonGroups } from './person-groups.tsx'

/** Everything about one person, and what can be done about it. */
export function PersonPage() {
  const { name } = useParams({ from: '/people/members/$name' })
  const asked = useQuery(personQuery(name))
  // Managers of a group may look at its members, and the door knows whose those are.
  const refused = asked.error !== null && 'status' in asked.error && asked.error.status === 403
  return (
    <PeoplePage title={name} command={`kumi people show ${name}`} allowed={!refused}>
      {asked.data ? <Whole person={asked.data} /> : <Pending of={asked} />}
    </PeoplePage>
  )
}

function Whole({ person }: { person: Person }) {
  const t = useMessages()
  const { may } = useRights()
  const write = may('identity.write')
  return (
    <>
      <div className="halves">
        <ProfilePanel person={person} write={write} />
        <StandingPanel person={person} write={write} />
      </div>
      <PersonGroups person={person} />
      {write && <Keys person={person} />}
      {may('identity.certificate.read') && <Certificates account={person.name} />}
      {write && (
        <>
          <Sessions account={person.name} />
          <Permissions account={person.name} />
        </>
      )}
      {may('identity.audit.read') && (
        <Panel title={t.people.person.history} flush>
          <AuditTable question={{ target: person.name }} limit={10} />
        </Panel>
      )}
    </>
  )
}

function ProfilePanel({ person, write }: { person: Person; write: boolean }) {
  const t = useMessages()
  const { givenName, familyName, institute, emails } = person
  return (
    <Panel title={t.people.person.profile}>
      <dl className="facts">
        <dt>{t.people.name}</dt>
        <dd>{[givenName, familyName].filter(Boolean).join(' ') || '–'}</dd>
        <dt>{t.people.institute}</dt>
        <dd>{institute || '–'}</dd>
        <dt>{t.people.address}</dt>
        <dd>
          {emails.length === 0 && '–'}
          {emails.map(({ address, verifiedAt }) => (
            <div key={address}>
              {address}{' '}
              <Mark tone={verifiedAt ? 'ok' : 'degraded'}>
                {verifiedAt ? t.people.verified : t.people.unverified}
              </Mark>
            </div>
          ))}
        </dd>
        <dt>{t.people.person.id}</dt>
        <dd className="mono">{person.id}</dd>
        <dt>{t.people.person.since}</dt>
        <dd>
          <Time at={person.createdAt} />
        </dd>
      </dl>
      {write && person.status !== 'PENDING' && (
        <details className="more">
          <summary>{t.people.person.edit}</summary>
          <ChangeForm
            label={t.people.person.edit}
            submit={t.people.save}
            plain
            run={(values) =>
              changeProfile(person.id, {
                givenName: values.givenName ?? '',
                familyName: values.familyName ?? '',
                institute: values.institute ?? '',
                emails: (values.emails ?? '').split(/[\s,]+/).filter(Boolean),
              })
            }
          >
            <TextInput name="givenName" label={t.people.givenName} defaultValue={givenName} />
            <TextInput name="familyName" label={t.people.familyName} defaultValue={familyName} />
            <TextInput name="institute" label={t.people.institute} defaultValue={institute} />
            <TextInput
              name="emails"
              label={t.people.address}
              description={t.people.person.addressesHint}
              defaultValue={emails.map(({ address }) => address).join(', ')}
            />
          </ChangeForm>
        </details>
      )}
    </Panel>
  )
}

function StandingPanel({ person, write }: { person: Person; write: boolean }) {
  const t = useMessages()
  const { vo, may } = useRights()
  const user = useQuery(userQuery(person.id))
  const { state, message } = person.standing
  const administrator = user.data?.[INDIGO_USER].authorities.includes('ROLE_ADMIN') ?? false
  const active = person.status === 'ACTIVE'
  return (
    <Panel title={t.people.person.standing}>
      <p>
        <StandingMark state={state} />
        {administrator && <span className="tag">{t.people.administrator}</span>}
      </p>
      {message && <p className="quiet">{message}</p>}
      {person.status === 'PENDING' && (
        <p>
          <Link to="/people/requests">{t.people.person.decide}</Link>
        </p>
      )}
      <dl className="facts">
        <dt>{t.people.membershipEnds}</dt>
        <dd>{person.endTime ? <Time at={person.endTime} /> : t.people.person.never}</dd>
        {person.kind === 'USER' && <SignatureFacts person={person} />}
      </dl>
      {write && person.status !== 'PENDING' && (
        <>
          <div className="moves">
            {active ? (
              <Asking
                label={t.people.person.suspend}
                question={t.people.person.suspendSure(person.name)}
                reason={t.people.reason}
                run={(reason) => decideStanding(person.name, 'suspend', reason)}
              />
            ) : (
              <Asking
                label={t.people.person.restore}
                question={t.people.person.restoreSure(person.name)}
                reason={t.people.reason}
                danger={false}
                run={(reason) => decideStanding(person.name, 'restore', reason)}
              />
            )}
            {person.status !== 'DELETED' && (
              <Asking
                label={t.people.person.remove}
                question={t.people.person.removeSure(person.name)}
                reason={t.people.reason}
                run={(reason) => decideStanding(person.name, 'remove', reason)}
              />
            )}
            {active && person.kind === 'USER' && <PasswordLink name={person.name} />}
            {may('identity.access') && active && user.data && (
              <Asking
                label={administrator ? t.people.person.demote : t.people.person.promote}
                question={
                  administrator
                    ? t.people.person.demoteSure(person.name)
                    : t.people.person.promoteSure(person.name)
                }
                run={() => setAdministrator(vo, person.id, !administrator)}
              />
            )}
          </div>
          {person.status !== 'DELETED' && (
            <ChangeForm
              label={t.people.membershipEnds}
              submit={t.people.person.setEnd}
              run={({ end }) => setEndTime(vo, person.id, endOfDay(end))}
            >
              <Day
                name="end"
                label={t.people.membershipEnds}
                value={dayOf(person.endTime)}
                hint={t.people.person.endHint}
              />
            </ChangeForm>
          )}
        </>
      )}
    </Panel>
  )
}

/** Lets somebody back in who cannot get in; tells where the link is. */
function PasswordLink({ name }: { name: string }) {
  const t = useMessages().password
  const [sent, setSent] = useState<{ recipient: string; sendsMail: boolean } | undefined>()
  return (
    <>
      <Asking
        label={t.send}
        question={t.sendSure(name)}
        danger={false}
        run={async () => setSent(await sendPasswordLink(name))}
      />
      <span role="status" className="quiet">
        {sent && (sent.sendsMail ? t.sentTo : t.handOver)(sent.recipient)}
      </span>
    </>
  )
}

function Keys({ person }: { person: Person }) {
  const t = useMessages()
  const user = useQuery(userQuery(person.id))
  if (!user.data) return null
  const { labels, attributes } = user.data[INDIGO_USER]
  return (
    <div className="halves">
      <Panel title={t.people.labels.labels}>
        <LabelList holder="account" id={person.id} labels={labels} />
      </Panel>
      <Panel title={t.people.labels.attributes}>
        <AttributeList holder="account" id={person.id} attributes={attributes} />
      </Panel>
    </div>
  )
}
