import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useRights } from '../common/acting.tsx'
import { count } from '../common/format.ts'
import { CopyCommand, Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
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
  return (
    <section className="panel flush" aria-label={t.software.atSites}>
      <div className="row headrow inset-head">
        <h2>
          {t.software.atSites}
          <span className="tag">{t.software.revisionOf(revision)}</span>
        </h2>
        <CopyCommand command={`kumi software client-config ${name}`} />
      </div>
      {!found ? (
        <Pending of={asked} />
      ) : found.length === 0 ? (
        <Empty>{t.software.nowhere}</Empty>
      ) : (
        <Scroll label={t.software.atSites}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.software.site}</th>
                <th scope="col">{t.software.gateway}</th>
                <th scope="col" className="num">
                  {t.software.revision}
                </th>
                <th scope="col">{t.software.state}</th>
                <th scope="col">{t.software.fromCache}</th>
              </tr>
            </thead>
            <tbody>
              {found.map(({ own, ...one }) => (
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
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}

function Jobs({ name }: { name: string }) {
  const t = useMessages()
  const asked = useQuery(usesQuery(name))
  return (
    <section className="panel flush" aria-label={t.software.jobs}>
      <div className="row headrow inset-head">
        <h2>{t.software.jobs}</h2>
        <CopyCommand command={`kumi job submit --software ${name} -- <command>`} />
      </div>
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.software.noJobs}</Empty>
      ) : (
        <Scroll label={t.software.jobs}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.software.release}</th>
                <th scope="col" className="num">
                  {t.software.revision}
                </th>
                <th scope="col">{t.software.rootHash}</th>
                <th scope="col">{t.software.who}</th>
                <th scope="col" className="num">
                  {t.software.open}
                </th>
                <th scope="col" className="num">
                  {t.software.over}
                </th>
                <th scope="col">{t.software.newestJob}</th>
              </tr>
            </thead>
            <tbody>
              {asked.data.map((one) => (
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
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}
