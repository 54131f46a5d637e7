import type { LinkRow } from './link.store.ts'
import { type LinkRate, newLink, nextRate } from './link-rate.ts'
import { createTurns } from './turns.ts'

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
  /** When it was full last. */
  busyAt: number | null
  written: Written | undefined
}

interface Written {
  readonly rate: LinkRate
  readonly busyAt: number | null
}

/** The links in use by this process: how busy they are, and how much they may be. */
export interface Links {
  /** What was learned before the last stop; half of it, because the world may have changed. */
  remember(rows: readonly LinkRow[]): void
  /** How many transfers the link has, and how many it may have if one of `bytes` is added. */
  active(srcRseId: number, dstRseId: number, bytes: bigint): { active: number; maxActive: number }
  /** A transfer of this link was claimed. */
  started(srcRseId: number, dstRseId: number): void
  /** Resolves when a claimed transfer may begin to copy; throws the signal's reason when that comes first. */
  turn(srcRseId: number, dstRseId: number, signal: AbortSignal): Promise<void>
  /** It no longer copies. */
  turnEnded(srcRseId: number, dstRseId: number): void
  /** Whether so few wait for their turn that more should be claimed. */
  thirsty(srcRseId: number, dstRseId: number): boolean
  moved(srcRseId: number, dstRseId: number, bytes: number): void
  ended(srcRseId: number, dstRseId: number, how: { finished: boolean; overload: boolean }): void
  /** Somebody had to wait because the link was full. */
  full(srcRseId: number, dstRseId: number): void
  /** One step of the controllers; returns the rows worth writing down. */
  step(now: Date): LinkRow[]
}

const EPOCH_MS = 1_000
/** That a link was full is written so often, even when nothing else changed. */
const BUSY_EVERY_MS = 60_000
/**
 * Files up to this size are claimed before their turn, so that one claim serves many of them and no link stands still
 * meanwhile. Larger ones stay free for others until they can begin.
 */
const AHEAD_BYTES = 33_554_432n
const LEAST_AHEAD = 16

/** At most `most` copies at once, all links together. */
export function createLinks(most: number): Links {
  const links = new Map<string, LiveLink>()
  const turns = createTurns((key) => links.get(key)?.rate.maxActive ?? 0, most)
  const get = (srcRseId: number, dstRseId: number): LiveLink => {
    const key = keyOf(srcRseId, dstRseId)
    let link = links.get(key)
    if (!link) {
      const rate = newLink(Math.min(most, newLink().maxActive))
      const idle = { active: 0, bytes: 0, finished: 0, overloads: 0, saturated: false, since: 0 }
      link = { srcRseId, dstRseId, rate, ...idle, busyAt: null, written: undefined }
      links.set(key, link)
    }
    return link
  }
  return {
    remember(rows) {
      for (const row of rows) {
        const link = get(row.srcRseId, row.dstRseId)
        const maxActive = Math.min(most, Math.max(newLink().maxActive, Math.ceil(row.maxActive / 2)))
        link.rate = { ...newLink(maxActive), rate: row.rate, busy: row.busy, rationale: row.rationale }
        link.busyAt = row.busyAt?.getTime() ?? null
        link.written = { rate: link.rate, busyAt: link.busyAt }
      }
    },
    active: (src, dst, bytes) => {
      const { active, rate } = get(src, dst)
      const ahead = bytes > AHEAD_BYTES ? 0 : aheadOf(rate)
      return { active, maxActive: rate.maxActive + ahead }
    },
    started(src, dst) {
      get(src, dst).active++
    },
    async turn(src, dst, signal) {
      await turns.take(keyOf(src, dst), signal)
      if (turns.waiting(keyOf(src, dst)) > 0) get(src, dst).saturated = true
    },
    turnEnded: (src, dst) => turns.end(keyOf(src, dst)),
    thirsty: (src, dst) => turns.waiting(keyOf(src, dst)) <= aheadOf(get(src, dst).rate) / 2,
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
        if (saturated) link.busyAt = at
        Object.assign(link, { bytes: 0, finished: 0, overloads: 0, saturated: false, since: at })
        if (!worthWriting(link.written, link)) continue
        link.written = { rate: link.rate, busyAt: link.busyAt }
        const { maxActive, rate, rationale, busy } = link.rate
        const busyAt = link.busyAt === null ? null : new Date(link.busyAt)
        changed.push({
          srcRseId: link.srcRseId,
          dstRseId: link.dstRseId,
          maxActive,
          rate,
          rationale,
          busy,
          busyAt,
        })
      }
      turns.look()
      return changed
    },
  }
}

const aheadOf = ({ maxActive }: LinkRate): number => Math.max(LEAST_AHEAD, maxActive)
const keyOf = (srcRseId: number, dstRseId: number): string => `${srcRseId} ${dstRseId}`

function worthWriting(old: Written | undefined, { rate: now, busyAt }: Written): boolean {
  if (!old) return now.rate !== null || now.rationale !== 'new link'
  const other = (a: number | null, b: number | null): boolean =>
    Math.abs((a ?? 0) - (b ?? 0)) > 0.1 * (b ?? 0)
  return (
    old.rate.maxActive !== now.maxActive ||
    other(now.rate, old.rate.rate) ||
    other(now.busy, old.rate.busy) ||
    (busyAt ?? 0) - (old.busyAt ?? 0) >= BUSY_EVERY_MS
  )
}
