import { useInfiniteQuery } from '@tanstack/react-query'
import { Empty, More, Pending, Scroll, Time } from '../common/parts.tsx'
import { type AuditEntry, type AuditQuestion, auditQuery } from '../doors/audit.ts'
import { useMessages } from '../language/index.tsx'

/** Who did what to whom, newest first. */
export function AuditTable({ question, limit }: { question: AuditQuestion; limit?: number }) {
  const t = useMessages()
  const asked = useInfiniteQuery(auditQuery(question, limit))
  const entries = asked.data?.pages.flat()
  if (!entries) return <Pending of={asked} />
  if (entries.length === 0) return <Empty>{t.people.audit.none}</Empty>
  return (
    <>
      <Scroll label={t.people.tabs.audit}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.people.audit.at}</th>
              <th scope="col">{t.people.audit.actor}</th>
              <th scope="col">{t.people.audit.action}</th>
              <th scope="col">{t.people.audit.target}</th>
              <th scope="col">{t.people.audit.detail}</th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <tr key={entry.seq}>
                <td>
                  <Time at={entry.at} />
                </td>
                <td>{entry.actor}</td>
                <td className="mono">{entry.action}</td>
                <td className="break">{entry.target}</td>
                <td className="break quiet">
                  <Facts detail={entry.detail} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {asked.hasNextPage && <More onMore={() => void asked.fetchNextPage()} />}
    </>
  )
}

/** The facts of an entry in one line; ids and hashes stay away from people's eyes, and long lists behind a word. */
function Facts({ detail }: Pick<AuditEntry, 'detail'>) {
  const given = Object.entries(detail).filter(
    ([name, value]) => value !== null && value !== '' && !/^(request|sha256|uuid|jti|id|session)$/.test(name),
  )
  const long = given.filter(([, value]) => typeof value === 'object' && !isWords(value))
  return (
    <>
      {given
        .filter((one) => !long.includes(one))
        .map(([name, value]) => `${name}: ${isWords(value) ? value.join(' ') || '–' : String(value)}`)
        .join(' · ')}
      {long.map(([name, value]) => (
        <details key={name} className="more">
          <summary>{name}</summary>
          <pre>{JSON.stringify(value, null, 1)}</pre>
        </details>
      ))}
    </>
  )
}

const isWords = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string')
