import { Button, NativeSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useRights } from '../common/acting.tsx'
import { CopyCommand, Empty, Pending } from '../common/parts.tsx'
import { type JobFilter, jobsQuery } from '../doors/jobs.ts'
import { sitesQuery } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'
import { JobTable } from './job-table.tsx'
import { StateBar } from './state-bar.tsx'
import { SPANS, Timeline } from './timeline.tsx'

export const HOURS = ['1', '24', '168', '720'] as const

export function JobsPage() {
  const t = useMessages()
  const { me, may } = useRights()
  const navigate = useNavigate()
  const { status, before, span, ...filter } = useSearch({ from: '/jobs' })
  const asked = useQuery(jobsQuery(filter, status, before))
  const mine = me.account !== null && filter.owner === me.account
  const { owner: _, ...others } = filter
  const same = status ? { status } : {}
  const older = (next: number | null) =>
    void navigate({ to: '/jobs', search: { ...filter, ...same, before: String(next) } })
  return (
    <>
      <div className="head">
        <h1>{t.jobs.title}</h1>
        <div className="act">
          <CopyCommand command={commandOf(filter, status, mine)} />
          {may('workload.submit') || me.account !== null ? (
            <Button size="xs" component={Link} to="/jobs/new">
              {t.jobs.new}
            </Button>
          ) : null}
        </div>
      </div>
      {me.account !== null && (
        <div className="tabs">
          <Link
            to="/jobs"
            search={{ ...others, ...same }}
            data-on={!filter.owner}
            aria-current={!filter.owner ? 'true' : undefined}
          >
            {t.jobs.everybody}
          </Link>
          <Link
            to="/jobs"
            search={{ ...others, ...same, owner: me.account }}
            data-on={mine}
            aria-current={mine ? 'true' : undefined}
          >
            {t.jobs.mine}
          </Link>
        </div>
      )}
      <StateBar filter={filter} status={status} />
      {Object.keys(filter).length === 0 && !status && !before && (
        <Timeline span={SPANS.find((one) => one === span) ?? '24'} />
      )}
      <Filter filter={filter} status={status} />
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : asked.data.jobs.length === 0 ? (
          <Empty>{asked.data.next === null ? t.jobs.none : t.jobs.noneHere(asked.data.looked)}</Empty>
        ) : (
          <JobTable jobs={asked.data.jobs} />
        )}
        {(before || asked.data?.next) && (
          <nav className="pages" aria-label={t.people.pages}>
            {before && (
              <Button
                size="xs"
                variant="default"
                onClick={() => void navigate({ to: '/jobs', search: { ...filter, ...same } })}
              >
                {t.jobs.newest}
              </Button>
            )}
            {asked.data?.next && (
              <Button size="xs" variant="default" onClick={() => older(asked.data.next)}>
                {t.jobs.older}
              </Button>
            )}
          </nav>
        )}
      </div>
    </>
  )
}

/** The list of the command line that comes nearest. */
function commandOf({ site }: JobFilter, status: string | undefined, mine: boolean): string {
  return ['kumi job ls', !mine && '--all', status && `--status ${status}`, site && `--site ${site}`]
    .filter(Boolean)
    .join(' ')
}

function Filter({ filter, status }: { filter: JobFilter; status: string | undefined }) {
  const t = useMessages()
  const navigate = useNavigate()
  const sites = useQuery(sitesQuery)
  // The chosen one can be chosen before the others are known: else the form would show, and send, none.
  const names = new Set([
    ...(filter.site ? [filter.site] : []),
    ...(sites.data ?? []).map(({ name }) => name),
  ])
  const [given, setGiven] = useState(0)
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const words = ['owner', 'group', 'site', 'name', 'hours'].flatMap((name) => {
      const value = String(form.get(name) ?? '').trim()
      return value ? [[name, value]] : []
    })
    setGiven(given + 1)
    void navigate({ to: '/jobs', search: { ...Object.fromEntries(words), ...(status && { status }) } })
  }
  return (
    <form
      className="panel form find"
      onSubmit={submit}
      key={`${given} ${JSON.stringify(filter)}`}
      aria-label={t.jobs.filter}
    >
      <TextInput
        className="grow"
        name="name"
        label={t.jobs.name}
        placeholder={t.jobs.nameHint}
        defaultValue={filter.name ?? ''}
      />
      <TextInput name="owner" label={t.jobs.owner} defaultValue={filter.owner ?? ''} />
      <TextInput name="group" label={t.jobs.group} defaultValue={filter.group ?? ''} />
      <NativeSelect
        // Made anew with the names: a browser keeps the place in a list, not what stood there.
        key={[...names].join()}
        name="site"
        label={t.jobs.site}
        data={[
          { value: '', label: t.jobs.anySite },
          ...[...names].sort().map((name) => ({ value: name, label: name })),
        ]}
        defaultValue={filter.site ?? ''}
      />
      <NativeSelect
        name="hours"
        label={t.jobs.since}
        data={[
          { value: '', label: t.jobs.sinceAny },
          ...HOURS.map((value) => ({ value, label: t.jobs.sinceLast[value] })),
        ]}
        defaultValue={filter.hours ?? ''}
      />
      <div className="send">
        <Button type="submit">{t.jobs.go}</Button>
      </div>
    </form>
  )
}
