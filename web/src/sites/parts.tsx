import { Mark, Time } from '../common/parts.tsx'
import type { Resource, Storage } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'

const USES = ['read', 'write', 'delete'] as const

/** Whether a storage may be used, and whether transfers get on with it. */
export function StorageMark({ storage }: { storage: Storage }) {
  const t = useMessages()
  const closed = USES.filter((use) => !storage[use])
  if (closed.length > 0)
    return (
      <Mark tone="degraded">{t.sites.closed(closed.map((use) => t.sites.may[use]).join(t.sites.and))}</Mark>
    )
  if (storage.faults.length > 0) return <Mark tone="down">{t.now.failing}</Mark>
  return <Mark tone="ok">{t.sites.open}</Mark>
}

/** A place that runs jobs, in two lines. */
export function Place({ resource }: { resource: Resource }) {
  const t = useMessages()
  const { name, kind, pilotsRunning, pilotsWaiting, maxPilots, jobsWaiting, pausedUntil, pauseReason } =
    resource
  return (
    <div className="place">
      <div className="row">
        <b>{name}</b>
        <span className="quiet">{kind}</span>
      </div>
      <div className="strip" aria-hidden="true">
        <i className="s-moving" style={{ width: `${(100 * pilotsRunning) / Math.max(maxPilots, 1)}%` }} />
        <i className="s-queued" style={{ width: `${(100 * pilotsWaiting) / Math.max(maxPilots, 1)}%` }} />
      </div>
      <div className="quiet">
        {t.sites.pilots}: {t.sites.pilotsNow(pilotsRunning, maxPilots, pilotsWaiting)} ·{' '}
        {t.sites.jobsWaiting(jobsWaiting)}
      </div>
      {pausedUntil && (
        <div>
          <Mark tone="degraded">
            {t.sites.paused} <Time at={pausedUntil} />
          </Mark>
          <div className="error">{pauseReason}</div>
        </div>
      )}
    </div>
  )
}
