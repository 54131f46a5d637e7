import type { Worker } from '../../kernel/workers.ts'
import { accountsByName, selectAttributes } from '../accounts/accounts.store.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { fetchIssuerKeys } from './issuer-documents.ts'
import { segmentsOf } from './scope.ts'
import type { IssuerTrust } from './trust.ts'
import * as store from './trusted-issuers.store.ts'

export interface NewTrust {
  readonly vo: string
  readonly issuer: string
  readonly path: string
  readonly audiences: readonly string[]
  /** Account names by subject of the issuer's tokens. */
  readonly subjects: Readonly<Record<string, string>>
  /** First part of its groups here; made of its host when absent. */
  readonly name?: string
  /** What its discovery document calls it, if not what its tokens say. */
  readonly callsItself?: string
  readonly comment?: string
}

export type TrustedIssuerView = Omit<store.TrustedIssuerRow, 'accounts' | 'jwks'> & {
  readonly keys: readonly string[]
  /** Until when the keys at hand count. */
  readonly keysUntil: Date
}

export interface TrustedIssuers {
  trustedIssuers(vo: string): Promise<TrustedIssuerView[]>
  /**
   * Fetches its keys first. Throws invalid_issuer, issuer_refused, issuer_trusted, account_missing, and what the fetcher
   * throws.
   */
  trustIssuer(trust: NewTrust, by: string): Promise<TrustedIssuerView>
  /** Throws issuer_missing. */
  distrustIssuer(vo: string, id: number, by: string): Promise<void>
  /** What a gateway of the VO has to know: without accounts. */
  trustsForGateways(vo: string): Promise<readonly IssuerTrust[]>
  /** Asks for the keys anew unless that was done in the last minute; a key is new when nobody here knows it. */
  lookForKey(vo: string, issuer: string, kid: string): Promise<void>
}

export interface TrustBook extends TrustedIssuers {
  /** Of all VOs, from memory. */
  trusted(): Promise<readonly IssuerTrust[]>
  readonly worker: Worker
}

const REFRESHED_MS = 6 * 3_600_000
const TRIED_AGAIN_MS = 10 * 60_000
const UNKNOWN_KEY_MS = 60_000
/** WLCG profile §2.4: what is older than this many days counts no more, however long the issuer is away. */
const KEYS_LAST_MS = 2 * 86_400_000

export function createTrustedIssuers(context: Context): TrustBook {
  const { db, now, changing, log, fetchDocument } = context
  const memory = context.memory<readonly IssuerTrust[]>()
  const trusted = () =>
    memory.get('all', async () =>
      (await store.selectTrustedIssuers(db, null))
        // The server's own address may have changed since: its own issuers stay its own.
        .filter(({ issuer }) => !issuer.startsWith(context.issuer('')))
        .flatMap(trustOf),
    )
  const note = (tx: Context['db'], vo: string, by: string, action: string, target: string, detail: object) =>
    context.audit(tx, { vo, actor: by, action, target, detail: { ...detail } })

  async function refresh(since: Date, issuer: string | null): Promise<number> {
    const claimed = fetchDocument ? await store.claimRefresh(db, since, now(), issuer) : []
    for (const each of claimed) {
      try {
        const jwks = await fetchIssuerKeys(fetchDocument!, each.issuer, each.callsItself)
        await changing(each.vo, 'issuers', (tx) => store.putKeys(tx, each.id, jwks, now()))
      } catch (error) {
        log.warn({ issuer: each.issuer, err: error }, 'keys of a trusted issuer not fetched')
        await store.putProblem(db, each.id, (error as Error).message.slice(0, 500))
      }
    }
    return claimed.length
  }
  const self: TrustBook = {
    trusted,
    trustedIssuers: async (vo) => (await store.selectTrustedIssuers(db, vo)).map(viewOf),
    async trustIssuer(wanted, by) {
      const { vo, subjects, audiences, comment = '' } = wanted
      if (!fetchDocument) throw e.invalidIssuer('This process fetches no documents of others.')
      const facts = { ...checked(wanted, context.issuer('')), vo, audiences, comment }
      const accounts = await accountsNamed(context, vo, subjects)
      const jwks = await fetchIssuerKeys(fetchDocument, facts.issuer, facts.callsItself)
      await changing(vo, 'issuers', async (tx) => {
        const id = await store.insertTrustedIssuer(tx, { ...facts, accounts, jwks }, now())
        if (id === undefined)
          throw e.issuerTrusted(
            `${facts.issuer} is trusted already, or another one has the name ${facts.name}.`,
          )
        const detail = { path: `/${facts.path.join('/')}`, name: facts.name, audiences, subjects }
        await note(tx, vo, by, 'issuer.trusted', facts.issuer, detail)
      })
      return (await self.trustedIssuers(vo)).find(({ issuer }) => issuer === facts.issuer)!
    },
    async distrustIssuer(vo, id, by) {
      await changing(vo, 'issuers', async (tx) => {
        const gone = await store.deleteTrustedIssuer(tx, vo, id)
        if (!gone) throw e.issuerMissing(`There is no trusted issuer ${id}; see kumi trust ls.`)
        await note(tx, vo, by, 'issuer.distrusted', gone.issuer, {})
      })
    },
    async trustsForGateways(vo) {
      return (await trusted()).filter((trust) => trust.vo === vo).map((trust) => ({ ...trust, accounts: {} }))
    },
    async lookForKey(vo, issuer, kid) {
      const found = (await trusted()).find((trust) => trust.issuer === issuer && trust.vo === vo)
      if (!found || found.jwks.keys.some((key) => key.kid === kid)) return
      await refresh(new Date(now().getTime() - UNKNOWN_KEY_MS), issuer)
    },
    worker: {
      name: 'identity-issuers',
      wakeOn: [],
      async tick(at) {
        const list = await store.selectTrustedIssuers(db, null)
        const failed = list.filter(({ problem }) => problem !== '')
        await refresh(new Date(at.getTime() - REFRESHED_MS), null)
        for (const { issuer } of failed) await refresh(new Date(at.getTime() - TRIED_AGAIN_MS), issuer)
        return { changed: 0, nextWake: new Date(at.getTime() + TRIED_AGAIN_MS / 10) }
      },
    },
  }
  return self
}

const keysUntil = ({ fetchedAt }: store.TrustedIssuerRow): Date =>
  new Date((fetchedAt?.getTime() ?? 0) + KEYS_LAST_MS)

function trustOf(row: store.TrustedIssuerRow): IssuerTrust[] {
  const { issuer, vo, name, path, audiences, accounts, jwks } = row
  if (!jwks) return []
  return [{ issuer, vo, name, path, audiences, accounts, jwks, keysUntil: keysUntil(row).toISOString() }]
}

function viewOf(row: store.TrustedIssuerRow): TrustedIssuerView {
  const { accounts: _ids, jwks, ...facts } = row
  return { ...facts, keys: (jwks?.keys ?? []).map(({ kid }) => String(kid)), keysUntil: keysUntil(row) }
}

/** The written form is kept: it is what tokens are compared with. */
function checked(
  { issuer, path, name, callsItself = issuer }: NewTrust,
  ours: string,
): Pick<store.NewTrustedIssuer, 'issuer' | 'path' | 'name' | 'callsItself'> {
  for (const text of [issuer, callsItself]) {
    const url = URL.parse(text)
    const plain = url?.protocol === 'https:' && !url.username && !url.password && !url.search && !url.hash
    if (!plain || text.length > 500 || /\s/.test(text)) {
      throw e.invalidIssuer(`"${text}" is no issuer: write its https address as its tokens do.`)
    }
  }
  const { origin, hostname, port } = new URL(issuer)
  if (new URL(callsItself).origin !== origin) {
    throw e.invalidIssuer(`${callsItself} is at another address than ${issuer}.`)
  }
  if (issuer.startsWith(ours)) throw e.invalidIssuer(`${issuer} is an issuer of this server.`)
  const segments = segmentsOf(path)
  if (segments.length === 0 || segments[0]!.startsWith('.')) {
    throw e.invalidIssuer('Its scopes need a directory of their own, such as --path /data/foreign.')
  }
  const host = hostname.replace(/[^A-Za-z0-9.-]/g, '-').replace(/^-+/, 'ip')
  const called = name ?? (host.includes('.') && port === '' ? host : `${host}.${port || 443}`)
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+$/.test(called) || called.length > 100) {
    throw e.invalidIssuer(`"${called}" is no name for an issuer: letters, digits, "-" and at least one dot.`)
  }
  return { issuer, callsItself, path: segments, name: called }
}

/** Whoever administrates logs in here: no other issuer speaks for them. */
async function accountsNamed(
  { db }: Context,
  vo: string,
  subjects: Readonly<Record<string, string>>,
): Promise<Record<string, number>> {
  const names = [...new Set(Object.values(subjects))]
  const found = new Map((await accountsByName(db, vo, names)).map(({ name, id }) => [name, id]))
  for (const name of names) {
    if (!found.has(name)) throw e.accountMissing(`There is no account ${name}.`)
  }
  const attributes = await selectAttributes(db, [...found.values()])
  const mighty = attributes.find(({ key, value }) => key === 'admin' && value.toLowerCase() === 'true')
  if (mighty) throw e.invalidIssuer('An issuer of others cannot speak for an administrator.')
  return Object.fromEntries(Object.entries(subjects).map(([subject, name]) => [subject, found.get(name)!]))
}
