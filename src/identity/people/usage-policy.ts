import { createHash } from 'node:crypto'
import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { checkedLines, checkedText } from './names.ts'
import { signatureEnd } from './standing.ts'
import type { Signature, UsagePolicy } from './usage-policy.store.ts'
import * as store from './usage-policy.store.ts'

export type { Signature, UsagePolicy } from './usage-policy.store.ts'

export interface NewPolicy {
  /** Where the text is, or the text itself, or both. */
  readonly url?: string | null
  readonly text?: string | null
  readonly description?: string
  /** 0: for ever. */
  readonly validityDays?: number
  /** Days before a signature runs out on which its owner is reminded. */
  readonly reminderDays?: readonly number[]
  /** For a correction of the wording: what was signed goes on to count. */
  readonly keepSignatures?: boolean
}

export interface UsagePolicies {
  /** The policy in force; null when the VO has none, and then nobody needs to sign. */
  usagePolicy(vo: string): Promise<UsagePolicy | null>
  /** Every version, newest first, and how many active people have a signature that counts now. */
  policyVersions(vo: string): Promise<store.PolicyVersions>
  publishPolicy(vo: string, policy: NewPolicy, by: string): Promise<UsagePolicy>
  /** Asks everybody to sign again. */
  touchPolicy(vo: string, by: string): Promise<UsagePolicy>
  withdrawPolicy(vo: string, by: string): Promise<void>
  /**
   * Signs the version in force, for oneself or, when `by` is somebody else, on behalf. A given `version` must be the
   * one in force, so that nobody signs what they have not read; throws policy_missing, policy_changed.
   */
  signPolicy(accountId: number, options: { version?: number; by: string }): Promise<Signature>
  /** The newest signature that was not withdrawn; `endsAt` is null when it counts for ever. */
  signatureOf(accountId: number): Promise<(Signature & { endsAt: Date | null }) | null>
  withdrawSignature(accountId: number, by: string): Promise<void>
}

const LONGEST_TEXT = 200_000
const MOST_DAYS = 3650

export function createUsagePolicies(context: Context): UsagePolicies {
  const { db, now, changing } = context
  const inForce = async (tx: Context['db'], vo: string): Promise<UsagePolicy> => {
    const policy = await store.selectPolicy(tx, vo)
    if (!policy) throw e.policyMissing(`${vo} has no usage policy.`)
    return policy
  }
  return {
    usagePolicy: async (vo) => (await store.selectPolicy(db, vo)) ?? null,
    async policyVersions(vo) {
      const [versions, counts, policy] = await Promise.all([
        store.selectVersions(db, vo),
        store.countSigners(db, vo, now()),
        store.selectPolicy(db, vo),
      ])
      // Without a policy nobody has to sign.
      return { versions, signed: policy ? counts.signed : 0, unsigned: policy ? counts.unsigned : 0 }
    },
    publishPolicy: (vo, policy, by) =>
      changing(vo, vo, async (tx) => {
        const checked = checkedPolicy(policy)
        const before = await store.holdPolicies(tx, vo)
        const signFrom = policy.keepSignatures && before ? before.signFrom : now()
        const sha256 = checked.text === null ? null : createHash('sha256').update(checked.text).digest()
        const published = await store.insertPolicy(tx, { ...checked, vo, signFrom, sha256, by }, now())
        const { version, validityDays } = published
        const entry = { vo, actor: by, action: 'policy.published', target: `${vo} version ${version}` }
        await context.audit(tx, {
          ...entry,
          detail: { url: checked.url, sha256: sha256?.toString('hex') ?? null, validityDays, signFrom },
        })
        return published
      }),
    touchPolicy: (vo, by) =>
      changing(vo, vo, async (tx) => {
        const { version } = await inForce(tx, vo)
        const target = `${vo} version ${version}`
        await context.audit(tx, { vo, actor: by, action: 'policy.signatures_asked_again', target })
        return (await store.moveSignFrom(tx, vo, version, now()))!
      }),
    async withdrawPolicy(vo, by) {
      await changing(vo, vo, async (tx) => {
        const { version } = await inForce(tx, vo)
        await store.withdrawPolicies(tx, vo, now())
        await context.audit(tx, {
          vo,
          actor: by,
          action: 'policy.withdrawn',
          target: `${vo} version ${version}`,
        })
      })
    },
    async signPolicy(accountId, { version, by }) {
      const { vo, name, status } = await accountOf(context, accountId)
      if (status !== 'ACTIVE') throw e.accountSuspended(`The account ${name} is not active.`)
      return changing(vo, name, async (tx) => {
        const policy = await inForce(tx, vo)
        if (version !== undefined && version !== policy.version) {
          throw e.policyChanged(
            `Version ${version} of the usage policy is not in force; read and sign version ${policy.version}.`,
          )
        }
        const signature = { accountId, vo, version: policy.version, signedBy: by }
        const signed = await store.insertSignature(tx, signature, now())
        const action = by === name ? 'policy.signed' : 'policy.signed_on_behalf'
        await context.audit(tx, { vo, actor: by, action, target: name, detail: { version: policy.version } })
        return signed
      })
    },
    async signatureOf(accountId) {
      const { vo } = await accountOf(context, accountId)
      const found = await store.selectSignature(db, accountId)
      if (!found) return null
      const policy = await store.selectPolicy(db, vo)
      return { ...found, endsAt: signatureEnd(found.signedAt, policy?.validityDays ?? 0) }
    },
    async withdrawSignature(accountId, by) {
      const { vo, name } = await accountOf(context, accountId)
      await changing(vo, name, async (tx) => {
        const count = await store.withdrawSignatures(tx, accountId, now())
        if (count === 0) throw e.signatureMissing(`${name} has signed nothing.`)
        await context.audit(tx, { vo, actor: by, action: 'policy.signature_withdrawn', target: name })
      })
    },
  }
}

function checkedPolicy(policy: NewPolicy) {
  const { url = null, text = null, description = '', validityDays = 0, reminderDays = [] } = policy
  const clean = text === null ? null : checkedLines('text of the policy', text, LONGEST_TEXT) || null
  if (url === null && clean === null) throw e.invalidRequest('A usage policy needs a text or the URL of one.')
  if (url !== null && !(URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && url.length <= 2000)) {
    throw e.invalidRequest(`"${url.slice(0, 60)}" is no URL of a text.`)
  }
  const days = (n: number) => Number.isInteger(n) && n >= 0 && n <= MOST_DAYS
  if (!days(validityDays) || !reminderDays.every(days) || reminderDays.length > 10) {
    throw e.invalidRequest(`Days are whole numbers from 0 to ${MOST_DAYS}.`)
  }
  const reminders = [...new Set(reminderDays)].sort((a, b) => b - a)
  return {
    url,
    text: clean,
    description: checkedText('description', description, 1000),
    validityDays,
    reminderDays: reminders,
  }
}
