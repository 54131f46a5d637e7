import { Button } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { bytes, count } from '../common/format.ts'
import { CopyCommand, Empty, Mark, More, Pending, RuleMark, Scroll, Time } from '../common/parts.tsx'
import { isPicture } from '../doors/pictures.ts'
import {
  type Copy,
  contentQuery,
  copiesQuery,
  type Did,
  dashed,
  didQuery,
  didRulesQuery,
  fileCopiesQuery,
  metaQuery,
} from '../doors/rucio.ts'
import { useMessages } from '../language/index.tsx'
import { Lineage } from './lineage.tsx'
import { Picture } from './picture.tsx'

const PAGE = 100
/** What the page says elsewhere, and bookkeeping. */
const SAID = new Set(
  'scope name did_type type account account_id bytes length adler32 md5 is_open monotonic availability created_at closed_at updated_at'.split(
    ' ',
  ),
)

export function DidPage() {
  const t = useMessages()
  const { scope, name } = useParams({ from: '/data/$scope/$name' })
  const asked = useQuery(didQuery(scope, name))
  if (!asked.data) return <Pending of={asked} />
  const did = asked.data
  const pictured = did.type === 'FILE' && isPicture(name)
  return (
    <>
      <div className="head">
        <h1>
          {scope}:{name}
        </h1>
        <span className="quiet">
          {t.data.kind[did.type]}
          {did.open !== undefined && ` · ${did.open ? t.data.open : t.data.closed}`} · {bytes(did.bytes)}
          {did.type !== 'FILE' && ` · ${t.data.files} ${count(did.length)}`}
        </span>
        <div className="act">
          <CopyCommand command={`rucio download ${scope}:${name}`} />
          <Button size="xs" component={Link} to={`/rules/new?did=${encodeURIComponent(`${scope}:${name}`)}`}>
            {t.data.addRule}
          </Button>
        </div>
      </div>
      <div className="halves">
        <div>
          <Copies did={did} />
          <Rules scope={scope} name={name} />
          {pictured && <Metadata did={did} />}
        </div>
        <div>
          {pictured ? <Picture scope={scope} name={name} /> : <Metadata did={did} />}
          {did.type === 'FILE' && <Lineage scope={scope} name={name} />}
        </div>
      </div>
      {did.type !== 'FILE' && <Content scope={scope} name={name} />}
    </>
  )
}

function Copies({ did }: { did: Did }) {
  const t = useMessages()
  const asked = useQuery<Copy[]>({
    ...(did.type === 'FILE' ? fileCopiesQuery(did.scope, did.name) : copiesQuery(did.scope, did.name)),
  } as never)
  const copies = asked.data
  return (
    <section className="panel flush">
      <h2>{t.data.copies}</h2>
      {!copies ? (
        <Pending of={asked} />
      ) : copies.length === 0 ? (
        <Empty>{t.data.noCopies}</Empty>
      ) : (
        <Scroll label={t.data.copies}>
          <table>
            <tbody>
              {copies.map((copy) => {
                const all = copy.length ?? 0
                const have = copy.available_length ?? 0
                const complete = have >= all && all > 0
                return (
                  <tr key={copy.rse}>
                    <td>
                      <b>{copy.rse}</b>
                    </td>
                    <td>
                      {complete ? (
                        <Mark tone="ok">{t.data.complete}</Mark>
                      ) : (
                        <Mark tone="degraded">{t.data.partial}</Mark>
                      )}
                    </td>
                    {did.type !== 'FILE' && <td className="num">{t.data.of(have, all)}</td>}
                  </tr>
                )
              })}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}

function Rules({ scope, name }: { scope: string; name: string }) {
  const t = useMessages()
  const asked = useQuery(didRulesQuery(scope, name))
  return (
    <section className="panel flush">
      <h2>{t.data.protectedBy}</h2>
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.length === 0 ? (
        <Empty>{t.data.unprotected}</Empty>
      ) : (
        <Scroll label={t.data.protectedBy}>
          <table>
            <tbody>
              {asked.data.map((rule) => (
                <tr key={rule.id}>
                  <td>
                    <Link to="/rules/$id" params={{ id: dashed(rule.id) }}>
                      {t.rules.copies(rule.copies, rule.rse_expression)}
                    </Link>
                  </td>
                  <td>
                    <RuleMark state={rule.state} />
                  </td>
                  <td className="quiet">
                    {rule.scope === scope && rule.name === name ? (
                      rule.account
                    ) : (
                      <>
                        {t.data.through}{' '}
                        <Link to="/data/$scope/$name" params={{ scope: rule.scope, name: rule.name }}>
                          {rule.scope}:{rule.name}
                        </Link>
                      </>
                    )}
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

function Metadata({ did }: { did: Did }) {
  const t = useMessages()
  const asked = useQuery(metaQuery(did.scope, did.name))
  const entries = Object.entries(asked.data ?? {}).filter(
    ([key, value]) => value !== null && value !== '' && value !== false && !SAID.has(key),
  )
  const { created_at: created, closed_at: sealed, md5 } = asked.data ?? {}
  return (
    <section className="panel">
      <h2>{t.data.metadata}</h2>
      <dl className="facts">
        <dt>{t.data.account}</dt>
        <dd>{did.account}</dd>
        {did.adler32 && (
          <>
            <dt>{t.data.checksum}</dt>
            <dd className="mono">
              adler32 {did.adler32}
              {typeof md5 === 'string' && (
                <>
                  <br />
                  md5 {md5}
                </>
              )}
            </dd>
          </>
        )}
        {typeof created === 'string' && (
          <>
            <dt>{t.data.created}</dt>
            <dd>
              <Time at={created} />
            </dd>
          </>
        )}
        {typeof sealed === 'string' && (
          <>
            <dt>{t.data.sealed}</dt>
            <dd>
              <Time at={sealed} />
            </dd>
          </>
        )}
        {entries.map(([key, value]) => (
          <Fact
            key={key}
            name={key}
            value={typeof value === 'object' ? JSON.stringify(value) : String(value)}
          />
        ))}
      </dl>
      {asked.data && entries.length === 0 && <p className="quiet">{t.data.noMetadata}</p>}
      {asked.error && <Pending of={asked} />}
    </section>
  )
}

const Fact = ({ name, value }: { name: string; value: string }) => (
  <>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </>
)

function Content({ scope, name }: { scope: string; name: string }) {
  const t = useMessages()
  const [most, setMost] = useState(PAGE)
  const asked = useQuery({ ...contentQuery(scope, name, most), placeholderData: keepPreviousData })
  return (
    <section className="panel flush">
      <h2>{t.data.content}</h2>
      {!asked.data ? (
        <Pending of={asked} />
      ) : asked.data.lines.length === 0 ? (
        <Empty>{t.data.noContent}</Empty>
      ) : (
        <>
          <Scroll label={t.data.content}>
            <table>
              <thead>
                <tr>
                  <th>{t.data.name}</th>
                  <th className="num">{t.data.size}</th>
                  <th>{t.data.checksum}</th>
                </tr>
              </thead>
              <tbody>
                {asked.data.lines.map((line) => (
                  <tr key={`${line.scope}:${line.name}`}>
                    <td className="break">
                      <Link to="/data/$scope/$name" params={{ scope: line.scope, name: line.name }}>
                        {line.name}
                      </Link>
                    </td>
                    <td className="num">{bytes(line.bytes)}</td>
                    <td className="mono">{line.adler32 ?? '–'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
          {asked.data.more && <More onMore={() => setMost(most * 4)} />}
        </>
      )}
    </section>
  )
}
