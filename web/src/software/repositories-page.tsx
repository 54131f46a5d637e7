import './software.css'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { CopyCommand, Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import { repositoriesQuery, softwareStateQuery } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'
import { Caches } from './caches.tsx'
import { SoftwareConcern } from './concern.tsx'
import { Expiry } from './parts.tsx'
import { Proposals } from './proposals.tsx'

export function RepositoriesPage() {
  const t = useMessages()
  const asked = useQuery(repositoriesQuery)
  return (
    <>
      <div className="head">
        <h1>{t.software.title}</h1>
        <div className="act">
          <CopyCommand command="kumi software repositories" />
        </div>
      </div>
      <Concerns />
      <Proposals />
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : asked.data.length === 0 ? (
          <Empty>{t.software.none}</Empty>
        ) : (
          <Scroll label={t.software.title}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.software.repository}</th>
                  <th scope="col" className="num">
                    {t.software.newest}
                  </th>
                  <th scope="col">{t.software.published}</th>
                  <th scope="col">{t.software.signed}</th>
                </tr>
              </thead>
              <tbody>
                {asked.data.map((one) => (
                  <tr key={one.name}>
                    <td className="break">
                      <div>
                        <Link to="/software/$name" params={{ name: one.name }}>
                          {one.name}
                        </Link>
                      </div>
                      <span className="quiet">{one.title}</span>{' '}
                      {one.mirrorOf && <span className="tag">{t.software.mirror}</span>}
                    </td>
                    <td className="num" data-label={t.software.newest}>
                      {count(one.revision)}
                    </td>
                    <td>
                      {one.publishedAt ? (
                        <Time at={one.publishedAt} />
                      ) : (
                        <span className="quiet">{t.software.never}</span>
                      )}
                    </td>
                    <td>
                      <Expiry at={one.whitelistExpiresAt} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </div>
      <Caches />
    </>
  )
}

/** What needs somebody, before anything else. */
function Concerns() {
  const t = useMessages()
  const asked = useQuery(softwareStateQuery)
  if (!asked.data || asked.data.concerns.length === 0) return null
  return (
    <ul className="attention" aria-label={t.software.concerns}>
      {asked.data.concerns.map((item) => (
        <SoftwareConcern key={JSON.stringify(item)} item={item} />
      ))}
    </ul>
  )
}
