import { rename, stat, writeFile } from 'node:fs/promises'
import type { Logger } from '../../kernel/log.ts'
import type { Worker } from '../../kernel/workers.ts'
import { crlState, invalidCrl, isCrlOf, readCrl } from './crl.ts'
import { slashOf } from './names.ts'
import type { TrustDirectory, TrustedAuthority } from './trust.ts'

export interface CrlRefresh {
  readonly trust: TrustDirectory
  /** A whole document from an address that an authority named: must be guarded, and bounded to 20 MB. */
  readonly fetch: (url: string) => Promise<Buffer>
  readonly log: Logger
  /** Told for each list at hand: seconds until its successor is due, negative when it is late. */
  readonly tell?: (authority: string, secondsLeft: number) => void
}

const REFRESH_MS = 6 * 3_600_000
const RETRY_MS = 900_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000

/**
 * Fetches the lists of revoked certificates of every authority that says where its list is, when the file is older
 * than six hours. A list counts only if that authority signed it and it is not older than the one at hand; whatever
 * fails, the last good one stays. Returns how many came and what failed.
 */
export async function refreshCrls(
  { trust, fetch, log, tell }: CrlRefresh,
  now: Date,
): Promise<{ updated: number; failed: readonly string[] }> {
  const failed: string[] = []
  let updated = 0
  for (const authority of (await trust.current()).all) {
    const { certificate, crl } = authority
    if (crl) tell?.(slashOf(certificate.subject), (crl.nextUpdate.getTime() - now.getTime()) / 1000)
    if (authority.crlUrls.length === 0 || !(await isOld(authority, now))) continue
    try {
      const bytes = await fetchFirst(authority, fetch)
      for (const base of authority.bases) await replaceList(`${base}.r0`, bytes)
      updated++
    } catch (error) {
      const name = slashOf(authority.certificate.subject)
      failed.push(name)
      const late = !authority.crl || crlState(authority.crl, now, DAY_MS) !== 'fresh'
      log[late ? 'warn' : 'debug'](
        { authority: name, err: error },
        'list of revoked certificates not fetched',
      )
    }
  }
  return { updated, failed }
}

/** The same as a background loop: every hour, and sooner when something failed. */
export function crlWorker(deps: CrlRefresh): Worker {
  let at = new Date(0)
  return {
    name: 'identity-crls',
    wakeOn: [],
    async tick(now) {
      if (now >= at) {
        const { failed } = await refreshCrls(deps, now)
        at = new Date(now.getTime() + (failed.length > 0 ? RETRY_MS : HOUR_MS))
      }
      return { changed: 0, nextWake: at }
    },
  }
}

async function isOld({ bases, crl }: TrustedAuthority, now: Date): Promise<boolean> {
  if (!crl) return true
  const written = await stat(`${bases[0]}.r0`).catch(() => undefined)
  return !written || now.getTime() - written.mtimeMs >= REFRESH_MS || now >= crl.nextUpdate
}

/** The first usable list of those addresses. */
async function fetchFirst(authority: TrustedAuthority, fetch: CrlRefresh['fetch']): Promise<Buffer> {
  let problem: unknown
  for (const url of authority.crlUrls) {
    try {
      const bytes = await fetch(url)
      const crl = readCrl(bytes)
      if (!isCrlOf(crl, authority.certificate))
        throw invalidCrl('The list of revoked certificates is not signed by its authority.')
      if (authority.crl && crl.thisUpdate < authority.crl.thisUpdate)
        throw invalidCrl('The list of revoked certificates is older than the one at hand.')
      return bytes
    } catch (error) {
      problem = error
    }
  }
  throw problem
}

/** Whole or not at all, and readable for everybody: other programs on the machine use the directory too. */
export async function replaceList(file: string, bytes: Buffer): Promise<void> {
  const fresh = `${file}.${process.pid}.new`
  await writeFile(fresh, bytes, { mode: 0o644 })
  await rename(fresh, file)
}
