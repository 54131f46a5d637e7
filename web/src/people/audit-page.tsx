import { Button, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import type { FormEvent } from 'react'
import { count } from '../common/format.ts'
import { Mark, Pending } from '../common/parts.tsx'
import { auditChainQuery } from '../doors/audit.ts'
import { useMessages } from '../language/index.tsx'
import { AuditTable } from './audit-table.tsx'
import { Day, PeoplePage, useRights } from './parts.tsx'

/** The audit log, and whether it is what it was. */
export function AuditPage() {
  const { may } = useRights()
  return (
    <PeoplePage command="kumi audit ls" allowed={may('identity.audit.read')}>
      <Log />
    </PeoplePage>
  )
}

const FIELDS = ['actor', 'target', 'action', 'since', 'until'] as const

function Log() {
  const t = useMessages()
  const navigate = useNavigate()
  const asked = useSearch({ from: '/people/audit' })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const given = FIELDS.flatMap((name) => {
      const value = String(form.get(name) ?? '').trim()
      return value ? [[name, value]] : []
    })
    void navigate({ to: '/people/audit', search: Object.fromEntries(given) })
  }
  return (
    <>
      <Chain />
      <form className="panel form" onSubmit={submit} key={JSON.stringify(asked)} aria-label={t.people.search}>
        <TextInput
          name="actor"
          label={t.people.audit.actor}
          description={'\u00a0'}
          defaultValue={asked.actor ?? ''}
        />
        <TextInput
          name="target"
          label={t.people.audit.target}
          description={t.people.audit.targetHint}
          defaultValue={asked.target ?? ''}
        />
        <TextInput
          name="action"
          label={t.people.audit.action}
          description={t.people.audit.actionHint}
          defaultValue={asked.action ?? ''}
        />
        <Day name="since" label={t.people.audit.since} value={asked.since ?? ''} hint={t.people.audit.utc} />
        <Day name="until" label={t.people.audit.until} value={asked.until ?? ''} hint={t.people.audit.utc} />
        <div className="send">
          <Button type="submit">{t.people.search}</Button>
        </div>
      </form>
      <div className="panel flush">
        <AuditTable
          question={{
            ...{ actor: asked.actor, target: asked.target, action: asked.action },
            ...(asked.since && { since: `${asked.since}T00:00:00Z` }),
            ...(asked.until && { until: `${asked.until}T23:59:59.999Z` }),
          }}
        />
      </div>
    </>
  )
}

function Chain() {
  const t = useMessages()
  const asked = useQuery(auditChainQuery)
  const { data } = asked
  return (
    <section className="panel" aria-label={t.people.audit.chain}>
      <div className="row">
        <div role="status">
          {!data ? (
            <Pending of={asked} />
          ) : (
            <>
              <Mark tone={data.brokenAt === null ? 'ok' : 'down'}>
                {data.brokenAt === null
                  ? t.people.audit.whole(count(data.entries))
                  : t.people.audit.broken(count(data.brokenAt))}
              </Mark>
              <div className="quiet">
                {t.people.audit.head} <span className="mono break">{data.head}</span>
              </div>
            </>
          )}
        </div>
        <Button size="xs" variant="default" loading={asked.isFetching} onClick={() => void asked.refetch()}>
          {t.people.audit.check}
        </Button>
      </div>
    </section>
  )
}
