import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useRights } from '../common/acting.tsx'
import { count } from '../common/format.ts'
import { CopyCommand, Mark, Pending, Time } from '../common/parts.tsx'
import { TablePanel } from '../common/table-panel.tsx'
import { type Repository, softwareStateQuery, usesQuery } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'
import { Share } from './caches.tsx'

/** Which sites see which revision, and which jobs run with which tree. */
export function Use({ repository }: { repository: Repository }) {
  const { may } = useRights()
  return (
    <>
      <AtSites repository={repository} />
      {may('workload.read') && <Jobs name={repository.name} />}
    </>
  )
}

function AtSites({ repository: { name, revision } }: { repository: Repository }) {
  const t = useMessages()
  const asked = useQuery(softwareStateQuery)
  const found = asked.data?.gateways.flatMap((gateway) => {
    const own = gateway.repositories.find((one) => one.name === name)
    return own ? [{ ...gateway, own }] : []
  })
  const columns = [
    { title: t.software.site },
    { title: t.software.gateway },
    { title: t.software.revision, num: true },
    { title: t.software.state },
    { title: t.software.fromCache },
  ]
  return (
    <TablePanel
      label={t.software.atSites}
      beside={<span className="tag">{t.software.revisionOf(revision)}</span>}
      action={<CopyCommand command={`kumi software client-config ${name}`} />}
      columns={columns}
      empty={t.software.nowhere}
      pending={!found && <Pending of={asked} />}
    >
      {(found ?? []).map(({ own, ...one }) => (
        <tr key={one.gateway}>
          <td>
            <Link to="/sites/$name" params={{ name: one.site }}>
              {one.site}
            </Link>
          </td>
          <td className="break">{one.gateway}</td>
          <td className="num" data-label={t.software.revision}>
            {count(own.revision)}
          </td>
          <td>
            {!one.alive ? (
              <Mark tone="unknown">{t.software.silent}</Mark>
            ) : own.behind > 0 ? (
              <Mark tone="degraded">{t.software.behind(own.behind)}</Mark>
            ) : (
              <Mark tone="ok">{t.software.current}</Mark>
            )}
          </td>
          <td>
            <Share of={one} />
          </td>
        </tr>
      ))}
    </TablePanel>
  )
}

function Jobs({ name }: { name: string }) {
  const t = useMessages()
  const asked = useQuery(usesQuery(name))
  const columns = [
    { title: t.software.release },
    { title: t.software.revision, num: true },
    { title: t.software.rootHash },
    { title: t.software.who },
    { title: t.software.open, num: true },
    { title: t.software.over, num: true },
    { title: t.software.newestJob },
  ]
  return (
    <TablePanel
      label={t.software.jobs}
      action={<CopyCommand command={`kumi job submit --software ${name} -- <command>`} />}
      columns={columns}
      empty={t.software.noJobs}
      pending={!asked.data && <Pending of={asked} />}
    >
      {(asked.data ?? []).map((one) => (
        <tr key={`${one.release} ${one.root} ${one.jobType} ${one.owner}`}>
          <td className="break">{one.release}</td>
          <td className="num" data-label={t.software.revision}>
            <Link
              to="/software/$name"
              params={{ name }}
              search={{ view: 'files', revision: String(one.revision) }}
            >
              {count(one.revision)}
            </Link>
          </td>
          <td className="mono" title={one.root}>
            {one.root.slice(0, 12)}…
          </td>
          <td className="break">
            {one.owner} <span className="quiet">{one.jobType}</span>
          </td>
          <td className="num" data-label={t.software.open}>
            {count(one.open)}
          </td>
          <td className="num" data-label={t.software.over}>
            {count(one.over)}
          </td>
          <td data-label={t.software.newestJob}>
            <Link to="/jobs/$id" params={{ id: String(one.newestJob) }}>
              {one.newestJob}
            </Link>{' '}
            <span className="quiet">
              <Time at={one.lastAt} />
            </span>
          </td>
        </tr>
      ))}
    </TablePanel>
  )
}
