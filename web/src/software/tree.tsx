import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { bytes } from '../common/format.ts'
import { CopyCommand, Empty, Pending, Scroll, Time } from '../common/parts.tsx'
import { type Repository, type Seen, treeQuery } from '../doors/software.ts'
import { useMessages } from '../language/index.tsx'

/** What a revision holds: directories to walk through, files to read. */
export function Tree({ repository }: { repository: Repository }) {
  const t = useMessages()
  const { revision: wanted, path = '' } = useSearch({ from: '/software/$name' })
  const revision = Number(wanted) || repository.revision
  const asked = useQuery(treeQuery(repository.name, revision, path))
  const { name, tags } = repository
  const tag = tags.find((one) => one.revision === revision)?.name
  const of = tag ?? (revision === repository.revision ? undefined : `#${revision}`)
  const release = of ? `${name}@${of}` : name
  const isFile = asked.data !== undefined && asked.data.entry.kind !== 'directory'
  const command = isFile
    ? `kumi software get ${quoted(release)} ./${name} --path ${quoted(path)}`
    : `kumi software ls ${quoted(release)} ${quoted(path || '/')}`
  return (
    <section className="panel flush" aria-label={t.software.tabs.files}>
      <div className="row headrow inset-head">
        <div className="row">
          <h2>
            {t.software.revisionOf(revision)}
            {tag && <span className="tag">{tag}</span>}
          </h2>
          {asked.data && (
            <span className="quiet">{t.software.tree(asked.data.files, bytes(asked.data.bytes))}</span>
          )}
        </div>
        <CopyCommand command={command} />
      </div>
      <Crumbs name={name} revision={revision} path={path} />
      {!asked.data ? (
        <Pending of={asked} />
      ) : isFile ? (
        <File seen={asked.data} />
      ) : (
        <Directory name={name} seen={asked.data} />
      )}
    </section>
  )
}

const quoted = (text: string) => (/^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

function Crumbs({ name, revision, path }: { name: string; revision: number; path: string }) {
  const t = useMessages()
  const parts = path.split('/').filter(Boolean)
  return (
    <nav className="crumbs" aria-label={t.software.name}>
      {['', ...parts].map((part, i) => {
        const here = parts
          .slice(0, i)
          .map((one) => `/${one}`)
          .join('')
        const words = i === 0 ? t.software.root : part
        return (
          <span key={here}>
            {i === parts.length ? (
              <b aria-current="page">{words}</b>
            ) : (
              <Link
                to="/software/$name"
                params={{ name }}
                search={{ view: 'files', revision: String(revision), ...(here && { path: here }) }}
              >
                {words}
              </Link>
            )}
            {i < parts.length && ' /'}
          </span>
        )
      })}
    </nav>
  )
}

function Directory({ name, seen: { revision, content, count } }: { name: string; seen: Seen }) {
  const t = useMessages()
  if (content.length === 0) return <Empty>{t.software.emptyDirectory}</Empty>
  const sorted = [...content].sort(
    (a, b) => Number(b.kind === 'directory') - Number(a.kind === 'directory') || (a.name < b.name ? -1 : 1),
  )
  return (
    <>
      <Scroll label={t.software.tabs.files}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t.software.name}</th>
              <th scope="col" className="num">
                {t.software.size}
              </th>
              <th scope="col">{t.software.mode}</th>
              <th scope="col">{t.software.modified}</th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((entry) => (
              <tr key={entry.path}>
                <td className="break">
                  <Link
                    to="/software/$name"
                    params={{ name }}
                    search={{ view: 'files', revision: String(revision), path: entry.path }}
                    className={entry.kind === 'directory' ? 'folder' : ''}
                  >
                    {entry.name}
                    {entry.kind === 'directory' && '/'}
                  </Link>
                  {entry.target !== null && <span className="quiet"> → {entry.target}</span>}
                  {!['directory', 'file', 'symlink'].includes(entry.kind) && (
                    <span className="tag">{t.software.kinds[entry.kind]}</span>
                  )}
                </td>
                <td className="num">{entry.kind === 'file' ? bytes(entry.size) : ''}</td>
                <td className="mono">{entry.mode}</td>
                <td>
                  <Time at={entry.modifiedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {count > content.length && <Empty>{t.software.first(content.length, count)}</Empty>}
    </>
  )
}

function File({ seen: { entry, text, cut } }: { seen: Seen }) {
  const t = useMessages()
  return (
    <>
      <p className="crumbs quiet">
        {t.software.kinds[entry.kind]}
        {entry.kind === 'file' && ` · ${bytes(entry.size)}`} · <span className="mono">{entry.mode}</span> ·{' '}
        <Time at={entry.modifiedAt} />
        {entry.target !== null && ` → ${entry.target}`}
      </p>
      {entry.kind === 'file' &&
        (text === null ? (
          <Empty>{t.software.notText}</Empty>
        ) : text === '' ? (
          <Empty>{t.software.emptyFile}</Empty>
        ) : (
          <>
            {cut && <Empty>{t.software.cut}</Empty>}
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable without a mouse */}
            <pre className="log tall" tabIndex={0}>
              {text}
            </pre>
          </>
        ))}
    </>
  )
}
