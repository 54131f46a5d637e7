import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { Empty, Mark, Pending, Time } from '../common/parts.tsx'
import {
  approveGroupRequest,
  approveRegistration,
  type GroupRequest,
  groupRequestsQuery,
  type Registration,
  type RequestState,
  registrationsQuery,
  rejectGroupRequest,
  rejectRegistration,
} from '../doors/requests.ts'
import { useMessages } from '../language/index.tsx'
import { Asking, Failure, PeoplePage, useDo, useRights } from './parts.tsx'

/** Who would like to join the VO or a group: what waits, oldest first, and what was decided. */
export function RequestsPage() {
  const t = useMessages()
  const { may, me } = useRights()
  const history = useSearch({ from: '/people/requests' }).state === 'decided'
  const decides = may('identity.approve')
  return (
    <PeoplePage command="kumi people requests" allowed={decides || me.manages.length > 0}>
      <div className="tabs">
        {([undefined, 'decided'] as const).map((state) => (
          <Link
            key={state ?? 'waiting'}
            to="/people/requests"
            search={state ? { state } : {}}
            data-on={history === (state === 'decided')}
            aria-current={history === (state === 'decided') ? 'true' : undefined}
          >
            {t.people.requests[state ?? 'waiting']}
          </Link>
        ))}
      </div>
      {decides && <Registrations history={history} />}
      <GroupRequests history={history} />
    </PeoplePage>
  )
}

function Registrations({ history }: { history: boolean }) {
  const t = useMessages()
  const { vo } = useRights()
  const asked = useQuery(registrationsQuery(vo, history))
  return (
    <section aria-label={t.people.requests.registrations}>
      <h2>{t.people.requests.registrations}</h2>
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : asked.data.length === 0 ? (
          <Empty>{history ? t.people.requests.noHistory : t.people.requests.noRegistrations}</Empty>
        ) : (
          asked.data.map((one) => <RegistrationLine key={one.uuid} one={one} />)
        )}
      </div>
    </section>
  )
}

function RegistrationLine({ one }: { one: Registration }) {
  const t = useMessages()
  const { vo } = useRights()
  const full = [one.givenname, one.familyname].filter(Boolean).join(' ')
  return (
    <Line
      title={
        <>
          <b>{full || one.username}</b> <span className="quiet">{one.username}</span>
        </>
      }
      state={one.status}
      request={one}
      facts={[
        [t.people.institute, one.institute || '–'],
        [
          t.people.address,
          one.email && (
            <>
              {one.email}{' '}
              <Mark tone={one.emailVerified ? 'ok' : 'degraded'}>
                {one.emailVerified ? t.people.verified : t.people.unverified}
              </Mark>
            </>
          ),
        ],
        [t.people.requests.notes, one.notes],
      ]}
      approve={() => approveRegistration(vo, one.uuid)}
      reject={(reason) => rejectRegistration(vo, one.uuid, reason)}
    />
  )
}

function GroupRequests({ history }: { history: boolean }) {
  const t = useMessages()
  const { vo, may, me } = useRights()
  const asked = useQuery(groupRequestsQuery(vo, history))
  // The door also tells people of their own wishes, which others decide.
  const decidable = asked.data?.filter(
    ({ groupName }) => may('identity.group.manage') || me.manages.includes(`/${groupName}`),
  )
  return (
    <section aria-label={t.people.requests.groups}>
      <h2>{t.people.requests.groups}</h2>
      <div className="panel flush">
        {!decidable ? (
          <Pending of={asked} />
        ) : decidable.length === 0 ? (
          <Empty>{history ? t.people.requests.noHistory : t.people.requests.noGroups}</Empty>
        ) : (
          decidable.map((one) => <GroupRequestLine key={one.uuid} one={one} />)
        )}
      </div>
    </section>
  )
}

function GroupRequestLine({ one }: { one: GroupRequest }) {
  const t = useMessages()
  const { vo } = useRights()
  return (
    <Line
      title={
        <>
          <Link to="/people/members/$name" params={{ name: one.username }}>
            {one.userFullName}
          </Link>{' '}
          →{' '}
          <Link to="/people/groups/$id" params={{ id: one.groupUuid }}>
            /{one.groupName}
          </Link>
        </>
      }
      state={one.status}
      request={one}
      facts={[[t.people.requests.notes, one.notes]]}
      approve={() => approveGroupRequest(vo, one.uuid)}
      reject={(reason) => rejectGroupRequest(vo, one.uuid, reason)}
    />
  )
}

const TONES = {
  NEW: 'unknown',
  CONFIRMED: 'moving',
  PENDING: 'moving',
  APPROVED: 'ok',
  REJECTED: 'down',
} as const satisfies Record<RequestState, string>

function Line({
  title,
  state,
  request,
  facts,
  approve,
  reject,
}: {
  title: ReactNode
  state: RequestState
  request: Pick<Registration, 'creationTime' | 'lastUpdateTime' | 'decidedBy' | 'motivation'>
  facts: readonly (readonly [string, ReactNode])[]
  approve: () => Promise<unknown>
  reject: (reason: string) => Promise<unknown>
}) {
  const t = useMessages()
  const accept = useDo(approve)
  const decided = state === 'APPROVED' || state === 'REJECTED'
  return (
    <article className="wish">
      <div>
        <div className="row" style={{ justifyContent: 'flex-start' }}>
          <Mark tone={TONES[state]}>{t.people.requests.state[state]}</Mark>
          <span className="break">{title}</span>
        </div>
        <dl className="facts">
          {facts.map(([name, value]) =>
            value ? (
              <div key={name}>
                <dt>{name}</dt>
                <dd className="lines">{value}</dd>
              </div>
            ) : null,
          )}
          <div>
            <dt>{t.people.requests.asked}</dt>
            <dd>
              <Time at={request.creationTime} />
            </dd>
          </div>
          {decided && (
            <div>
              <dt>{t.people.requests.decided}</dt>
              <dd>
                <Time at={request.lastUpdateTime} /> · {request.decidedBy}
                {request.motivation && <> · {request.motivation}</>}
              </dd>
            </div>
          )}
        </dl>
      </div>
      {!decided && (
        <div className="decide">
          <Button size="xs" loading={accept.isPending} onClick={() => accept.mutate()}>
            {t.people.requests.approve}
          </Button>
          <Asking
            label={t.people.requests.reject}
            question={t.people.requests.rejectSure}
            reason={t.people.reason}
            run={reject}
          />
          <Failure error={accept.error} />
        </div>
      )}
    </article>
  )
}
