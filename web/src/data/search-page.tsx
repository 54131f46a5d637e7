import { Button, NativeSelect, TextInput } from '@mantine/core'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { bytes, count } from '../common/format.ts'
import { CopyCommand, Empty, More, Pending, Scroll } from '../common/parts.tsx'
import { scopesQuery, searchQuery } from '../doors/rucio.ts'
import { useMessages } from '../language/index.tsx'
import { DataTabs } from '../raw/data-tabs.tsx'
import { parseConditions } from './conditions.ts'

const PAGE = 100
const TYPES = ['DATASET', 'CONTAINER', 'FILE', 'ALL'] as const

export function SearchPage() {
  const t = useMessages()
  const asked = useSearch({ from: '/data' })
  const navigate = useNavigate()
  const [most, setMost] = useState(PAGE)
  const scopes = useQuery(scopesQuery)
  // Without a question the page shows the datasets of the first scope: nobody has to compose a query to see data.
  const scope = asked.scope ?? scopes.data?.[0] ?? ''
  const type = asked.type ?? 'DATASET'
  const name = asked.name ?? '*'
  const conditions = parseConditions(asked.where ?? '')
  const found = useQuery({
    ...searchQuery(scope, type, { name, ...conditions }, most),
    enabled: scope !== '' && conditions !== undefined,
    placeholderData: keepPreviousData,
  })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (key: string) => String(form.get(key) ?? '').trim()
    setMost(PAGE)
    void navigate({
      to: '/data',
      search: { scope: value('scope'), name: value('name'), type: value('type'), where: value('where') },
    })
  }
  if (!scopes.data) return <Pending of={scopes} />
  return (
    <>
      <div className="head">
        <h1>{t.data.search}</h1>
        <div className="act">
          <CopyCommand
            command={`rucio did list --filter "name=${name}${asked.where ? `,${asked.where.replaceAll(' ', ',')}` : ''}" ${scope}:${name}`}
          />
        </div>
      </div>
      <DataTabs on="search" />
      {scopes.data.length === 0 ? (
        <div className="panel">
          <Empty>{t.data.noScopes}</Empty>
        </div>
      ) : (
        <form className="panel form" onSubmit={submit} key={JSON.stringify(asked)} aria-label={t.data.search}>
          <NativeSelect name="scope" label={t.data.scope} data={scopes.data} defaultValue={scope} />
          <TextInput
            className="grow"
            name="name"
            label={t.data.pattern}
            placeholder={t.data.patternHint}
            defaultValue={asked.name ?? ''}
          />
          <TextInput
            className="grow"
            name="where"
            label={t.data.filter}
            placeholder={t.data.filterHint}
            defaultValue={asked.where ?? ''}
            error={conditions === undefined ? t.data.filterWrong : undefined}
          />
          <NativeSelect
            name="type"
            label={t.data.type}
            data={TYPES.map((value) => ({ value, label: t.data.types[value] }))}
            defaultValue={type}
          />
          <div className="send">
            <Button type="submit">{t.data.go}</Button>
          </div>
        </form>
      )}
      {scope !== '' && conditions !== undefined && (
        <div className="panel flush">
          {!found.data ? (
            <Pending of={found} />
          ) : found.data.lines.length === 0 ? (
            <Empty>{t.data.nothing}</Empty>
          ) : (
            <>
              <Scroll label={t.data.search}>
                <table>
                  <thead>
                    <tr>
                      <th>{t.data.name}</th>
                      <th>{t.data.type}</th>
                      <th className="num">{t.data.files}</th>
                      <th className="num">{t.data.size}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {found.data.lines.map((line) => (
                      <tr key={`${line.scope}:${line.name}`}>
                        <td className="break">
                          <Link to="/data/$scope/$name" params={{ scope: line.scope, name: line.name }}>
                            {line.scope}:{line.name}
                          </Link>
                        </td>
                        <td>{t.data.kind[line.did_type]}</td>
                        <td className="num">{count(line.length)}</td>
                        <td className="num">{bytes(line.bytes)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroll>
              {found.data.more && <More onMore={() => setMost(most * 4)} />}
            </>
          )}
        </div>
      )}
    </>
  )
}
