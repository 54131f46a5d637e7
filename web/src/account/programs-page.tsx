import { useQuery } from '@tanstack/react-query'
import { Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import { type Grant, grantsQuery, revokeAllGrants, revokeGrant } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { scopeWords } from '../login/scope-words.ts'
import { OwnClients } from './own-clients.tsx'
import { Ends, Section, Sure, useMe } from './parts.tsx'

/** The programs that may act for one, and those registered in one's name. */
export function ProgramsPage() {
  return (
    <>
      <Grants />
      <OwnClients />
    </>
  )
}

function Grants() {
  const t = useMessages().account.programs
  const { vo } = useMe()
  const asked = useQuery(grantsQuery(vo))
  if (!asked.data) return <Pending of={asked} />
  return (
    <Section
      title={t.grants}
      hint={t.hint}
      flush
      act={
        asked.data.length > 1 && (
          <Sure label={t.revokeAll} title={t.revokeAllTitle} onSure={() => revokeAllGrants(vo)}>
            <p>{t.revokeAllHint}</p>
          </Sure>
        )
      }
    >
      {asked.data.length === 0 ? (
        <Empty>{t.none}</Empty>
      ) : (
        <Scroll label={t.grants}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.program}</th>
                <th scope="col">{t.may}</th>
                <th scope="col">{t.since}</th>
                <th scope="col">{t.used}</th>
                <th scope="col">{t.until}</th>
                <th scope="col">{t.revoke}</th>
              </tr>
            </thead>
            <tbody>
              {asked.data.map((grant) => (
                <Row key={grant.id} grant={grant} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Section>
  )
}

function Row({ grant }: { grant: Grant }) {
  const { account, consent } = useMessages()
  const t = account.programs
  const { vo } = useMe()
  const words = [...new Set(grant.scopes.map((scope) => scopeWords(scope, consent)))]
  return (
    <tr>
      <td>
        {grant.client_name}
        {grant.client_name !== grant.client_id && <div className="quiet">{grant.client_id}</div>}
      </td>
      <td className="break" title={grant.scopes.join(' ')}>
        <ul className="words">
          {words.map((word) => (
            <li key={word}>{word}</li>
          ))}
        </ul>
      </td>
      <td data-label={t.since}>
        <Time at={grant.created} />
      </td>
      <td data-label={t.used}>
        <Time at={grant.last_used} />
      </td>
      <td data-label={t.until}>
        <Ends at={grant.expires} soonDays={3} />
      </td>
      <td>
        <Sure
          label={t.revoke}
          of={grant.client_name}
          title={t.revokeTitle(grant.client_name)}
          onSure={() => revokeGrant(vo, grant.id)}
        >
          <p>{t.revokeHint}</p>
        </Sure>
      </td>
    </tr>
  )
}
