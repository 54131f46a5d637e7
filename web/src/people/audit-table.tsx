import { useInfiniteQuery } from '@tanstack/react-query'
import { type AuditEntry, type AuditQuestion, auditQuery } from '../doors/audit.ts'
import { useMessages } from '../language/index.tsx'
import { Empty, More, Pending, Scroll, Time } from '../shared/parts.tsx'

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
                <td className="break quiet">{facts(entry)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {asked.hasNextPage && <More onMore={() => void asked.fetchNextPage()} />}
    </>
  )
}

/** The facts of an entry in one line; ids and hashes stay away from people's eyes. */
function facts({ detail }: AuditEntry): string {
  return Object.entries(detail)
    .filter(([name, value]) => value !== null && value !== '' && !/^(request|sha256|uuid|jti|id)$/.test(name))
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(' · ')
}
