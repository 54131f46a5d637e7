import { useQuery } from '@tanstack/react-query'
import { Step, useRights } from '../common/acting.tsx'
import { Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import { siteTestsQuery, testNow } from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'

/** The last result of each active test at a site. */
export function Tests({ site }: { site: string }) {
  const t = useMessages()
  const { may } = useRights()
  const asked = useQuery(siteTestsQuery(site))
  return (
    <section className="panel flush" aria-label={t.sites.tests}>
      <div className="row inset-head headrow">
        <h2>{t.sites.tests}</h2>
        {may('operations.shift') && <Step label={t.sites.testNow} run={() => testNow(site)} />}
      </div>
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.sites.noTests}</Empty>
      ) : (
        <Scroll label={t.sites.tests}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.sites.testOf}</th>
                <th scope="col">{t.sites.tested}</th>
                <th scope="col">{t.sites.state}</th>
                <th scope="col" className="num">
                  ms
                </th>
                <th scope="col">{t.sites.when}</th>
              </tr>
            </thead>
            <tbody>
              {asked.data.map(({ kind, name, test, ok, ms, at, message }) => (
                <tr key={`${kind} ${name} ${test}`}>
                  <td>{t.sites.test[test]}</td>
                  <td>{name}</td>
                  <td className={ok ? '' : 'break'}>
                    <Mark tone={ok ? 'ok' : 'down'}>{ok ? t.sites.passed : t.sites.failed}</Mark>
                    {!ok && <div className="error">{message}</div>}
                  </td>
                  <td className="num" data-label="ms">
                    {ms}
                  </td>
                  <td>
                    <Time at={at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}
