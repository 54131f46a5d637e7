import type { LinkRow } from './link.store.ts'
import { type LinkRate, newLink, nextRate } from './link-rate.ts'

interface LiveLink {
  readonly srcRseId: number
  readonly dstRseId: number
  rate: LinkRate
  active: number
  bytes: number
  finished: number
  overloads: number
  saturated: boolean
  since: number
  written: LinkRate | undefined
}

/** The links in use by this process: how busy they are, and how much they may be. */
export interface Links {
  /** What was learned before the last stop; half of it, because the world may have changed. */
  remember(rows: readonly LinkRow[]): void
  active(srcRseId: number, dstRseId: number): { active: number; maxActive: number }
  started(srcRseId: number, dstRseId: number): void
  moved(srcRseId: number, dstRseId: number, bytes: number): void
  ended(srcRseId: number, dstRseId: number, how: { finished: boolean; overload: boolean }): void
  /** Somebody had to wait because the link was full. */
  full(srcRseId: number, dstRseId: number): void
  /** One step of the controllers; returns the rows worth writing down. */
  step(now: Date): LinkRow[]
}

const EPOCH_MS = 1_000

export function createLinks(most: number): Links {
  const links = new Map<string, LiveLink>()
  const get = (srcRseId: number, dstRseId: number): LiveLink => {
    const key = `${srcRseId} ${dstRseId}`
    let link = links.get(key)
    if (!link) {
      const rate = newLink(Math.min(most, newLink().maxActive))
      const idle = { active: 0, bytes: 0, finished: 0, overloads: 0, saturated: false, since: 0 }
      link = { srcRseId, dstRseId, rate, ...idle, written: undefined }
      links.set(key, link)
    }
    return link
  }
  return {
    remember(rows) {
      for (const row of rows) {
        const link = get(row.srcRseId, row.dstRseId)
        const maxActive = Math.min(most, Math.max(newLink().maxActive, Math.ceil(row.maxActive / 2)))
        link.rate = { ...newLink(maxActive), rate: row.rate, rationale: row.rationale }
        link.written = link.rate
      }
    },
    active: (src, dst) => {
      const link = get(src, dst)
      return { active: link.active, maxActive: link.rate.maxActive }
    },
    started(src, dst) {
      get(src, dst).active++
    },
    moved(src, dst, bytes) {
      get(src, dst).bytes += bytes
    },
    ended(src, dst, { finished, overload }) {
      const link = get(src, dst)
      link.active--
      if (finished) link.finished++
      if (overload) link.overloads++
    },
    full(src, dst) {
      get(src, dst).saturated = true
    },
    step(now) {
      const at = now.getTime()
      const changed: LinkRow[] = []
      for (const link of links.values()) {
        if (link.since === 0) link.since = at
        const seconds = (at - link.since) / 1000
        if (seconds * 1000 < EPOCH_MS) continue
        const { bytes, finished, overloads, saturated } = link
        link.rate = nextRate(link.rate, { now: at, seconds, bytes, finished, overloads, saturated }, most)
        Object.assign(link, { bytes: 0, finished: 0, overloads: 0, saturated: false, since: at })
        if (!worthWriting(link.written, link.rate)) continue
        link.written = link.rate
        const { maxActive, rate, rationale } = link.rate
        changed.push({ srcRseId: link.srcRseId, dstRseId: link.dstRseId, maxActive, rate, rationale })
      }
      return changed
    },
  }
}

function worthWriting(old: LinkRate | undefined, now: LinkRate): boolean {
  if (!old) return now.rate !== null || now.rationale !== 'new link'
  return (
    old.maxActive !== now.maxActive || Math.abs((now.rate ?? 0) - (old.rate ?? 0)) > 0.1 * (old.rate ?? 0)
  )
}
