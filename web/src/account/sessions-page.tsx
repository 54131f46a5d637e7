import { useQuery } from '@tanstack/react-query'
import { Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import { DoorError } from '../doors/http.ts'
import { endSession, type Session, sessionsQuery } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { browserIn } from './browser-name.ts'
import { Section, Sure, useMe } from './parts.tsx'
import { PasswordSection } from './password-section.tsx'

/** How one logs in, and where one is. */
export function SessionsPage() {
  return (
    <>
      <Browsers />
      <PasswordSection />
    </>
  )
}

/** Every browser one is logged in with, and the way to log each of them out. */
function Browsers() {
  const t = useMessages().account.sessions
  const { vo } = useMe()
  const asked = useQuery(sessionsQuery(vo))
  if (!asked.data) return <Pending of={asked} />
  const sessions = [...asked.data].sort(
    (a, b) => Number(b.here) - Number(a.here) || b.last_seen.localeCompare(a.last_seen),
  )
  const others = sessions.filter(({ here }) => !here)
  const endOthers = async () => {
    for (const { id } of others) {
      await endSession(vo, id).catch((error) => {
        // One that ended by itself meanwhile is what was wanted.
        if (!(error instanceof DoorError && error.status === 404)) throw error
      })
    }
  }
  return (
    <Section
      title={t.title}
      hint={others.length === 0 ? `${t.only} ${t.hint}` : t.hint}
      flush
      act={
        others.length > 0 && (
          <Sure label={t.endOthers} title={t.endOthersTitle} onSure={endOthers}>
            <p>{t.endOthersHint(others.length)}</p>
          </Sure>
        )
      }
    >
      <Scroll label={t.title}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.browser}</th>
              <th scope="col">{t.from}</th>
              <th scope="col">{t.since}</th>
              <th scope="col">{t.seen}</th>
              <th scope="col">{t.until}</th>
              <th scope="col">{t.end}</th>
            </tr>
          </thead>
          <tbody>
            {sessions.map((session) => (
              <Row key={session.id} session={session} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </Section>
  )
}

function Row({
  session: { id, here, user_agent, address, created, last_seen, expires },
}: {
  session: Session
}) {
  const t = useMessages().account.sessions
  const { vo } = useMe()
  const { browser, system } = browserIn(user_agent)
  const name = browser ? (system ? t.on(browser, system) : browser) : t.unknown
  return (
    <tr>
      <td className="break" title={user_agent}>
        {name}
      </td>
      <td data-label={t.from}>{address}</td>
      <td data-label={t.since}>
        <Time at={created} />
      </td>
      <td data-label={t.seen}>
        <Time at={last_seen} />
      </td>
      <td data-label={t.until}>
        <Time at={expires} />
      </td>
      <td>
        {here ? (
          <Mark tone="ok">{t.here}</Mark>
        ) : (
          <Sure label={t.end} of={`${name}, ${address}`} title={t.endTitle} onSure={() => endSession(vo, id)}>
            <p>
              {name}, {address}
            </p>
            <p>{t.endHint}</p>
          </Sure>
        )}
      </td>
    </tr>
  )
}
