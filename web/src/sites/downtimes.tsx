import { NativeSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Asking, ChangeForm, Panel, useRights } from '../common/acting.tsx'
import { Empty, Mark, Pending, Time } from '../common/parts.tsx'
import { announceDowntime, type Downtime, downtimesQuery, endDowntime } from '../doors/operations.ts'
import type { SiteWork } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'

/** Times in which the site, or a part of it, is away; announced here. */
export function Downtimes({ site }: { site: SiteWork }) {
  const t = useMessages()
  const { may } = useRights()
  const asked = useQuery(downtimesQuery)
  const own = asked.data?.filter((one) => one.site === site.name)
  return (
    <Panel title={t.sites.downtimes}>
      {!own ? (
        <Pending of={asked} />
      ) : own.length === 0 ? (
        <Empty>{t.sites.noDowntimes}</Empty>
      ) : (
        <ul className="sitelist">
          {own.map((one) => (
            <Line key={one.id} downtime={one} ends={may('operations.shift')} />
          ))}
        </ul>
      )}
      {may('operations.shift') && <Announce site={site} />}
    </Panel>
  )
}

function Line({ downtime, ends }: { downtime: Downtime; ends: boolean }) {
  const t = useMessages()
  const { id, severity, state, storage, resource, startsAt, endsAt, reason, madeBy } = downtime
  const present = state === 'present'
  const label = present ? t.sites.endNow : t.sites.withdraw
  return (
    <li>
      <div className="row">
        <Mark tone={!present ? 'unknown' : severity === 'OUTAGE' ? 'down' : 'degraded'}>
          {t.sites.severity[severity]} · {t.sites.downtimeState[state]}
        </Mark>
        <span>{storage ?? resource ?? t.sites.whole}</span>
      </div>
      <div className="quiet">
        <Time at={startsAt} /> – <Time at={endsAt} />
      </div>
      <div className="break">
        {reason} <span className="quiet">{madeBy}</span>
      </div>
      {ends && (
        <div className="moves">
          <Asking label={label} question={t.sites.endSure} danger={false} run={() => endDowntime(id)} />
        </div>
      )}
    </li>
  )
}

const utcOf = (local: string | undefined) => (local ? new Date(`${local}Z`).toISOString() : undefined)

function Announce({ site }: { site: SiteWork }) {
  const t = useMessages()
  const send = (values: Readonly<Record<string, string>>) => {
    const [kind, part] = (values.part ?? '').split(' ')
    const startsAt = utcOf(values.from)
    return announceDowntime({
      site: site.name,
      ...(kind === 'storage' && part && { storage: part }),
      ...(kind === 'resource' && part && { resource: part }),
      severity: values.severity === 'WARNING' ? 'WARNING' : 'OUTAGE',
      ...(startsAt && { startsAt }),
      endsAt: utcOf(values.to)!,
      reason: values.reason ?? '',
    })
  }
  return (
    <details className="more">
      <summary>{t.sites.announce}</summary>
      <ChangeForm label={t.sites.announce} submit={t.sites.announce} run={send} plain>
        <NativeSelect
          name="severity"
          label={t.sites.kindOfDowntime}
          data={(['OUTAGE', 'WARNING'] as const).map((value) => ({ value, label: t.sites.severity[value] }))}
        />
        <NativeSelect
          name="part"
          label={t.sites.concerned}
          data={[
            { value: '', label: t.sites.whole },
            ...site.storage.map(({ name }) => ({ value: `storage ${name}`, label: name })),
            ...site.resources.map(({ name }) => ({ value: `resource ${name}`, label: name })),
          ]}
        />
        <TextInput name="from" type="datetime-local" label={t.sites.from} description={t.sites.fromHint} />
        <TextInput name="to" type="datetime-local" label={t.sites.to} required />
        <TextInput name="reason" label={t.sites.reason} required maxLength={500} />
      </ChangeForm>
    </details>
  )
}
