import { useQuery } from '@tanstack/react-query'
import { Step, useRights } from '../common/acting.tsx'
import { Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import { siteTestsQuery, testNow } from '../doors/operations.ts'
import { useMessages } from '../language/index.tsx'

/** The last result of each active test at a site. */
export function Tests({ site }: { site: string }) {
  const t = useMessages()
  const { may } = useRights()
  const asked = useQuery(siteTestsQuery(site))
  const columns = [
    { title: t.sites.testOf },
    { title: t.sites.tested },
    { title: t.sites.state },
    { title: 'ms', num: true },
    { title: t.sites.when },
  ]
  return (
    <TablePanel
      label={t.sites.tests}
      action={may('operations.shift') && <Step label={t.sites.testNow} run={() => testNow(site)} />}
      columns={columns}
      empty={t.sites.noTests}
      pending={!asked.data && <Pending of={asked} />}
    >
      {(asked.data ?? []).map(({ kind, name, test, ok, ms, at, message }) => (
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
    </TablePanel>
  )
}
