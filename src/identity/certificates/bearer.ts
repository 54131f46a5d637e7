import type { Accounts } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import { entitled } from '../tokens/entitlement.ts'
import type { Holders } from '../tokens/holders.ts'
import { parseScope } from '../tokens/scope.ts'
import type { ScopePolicyBook } from '../tokens/scope-policies.ts'
import { LOGIN_SCOPES } from '../tokens/vocabulary.ts'
import { groupOfFqan } from '../voms/fqan.ts'
import type { ProxyAttributes } from '../voms/proxy-attributes.ts'
import { slashOf, type VerifiedChain } from '../x509/index.ts'
import { certificatesOfSubjects, type StoredCertificate } from './certificates.store.ts'
import type { Certificates } from './certificates.ts'
import type { Issuing } from './issuing.ts'

export interface CertificateBearers {
  /**
   * Who a verified certificate or proxy stands for. Throws certificate_unknown, certificate_issuer_changed,
   * vo_choice_needed, certificate_suspended, and what the account's standing says.
   */
  verifyCertificate(
    chain: VerifiedChain,
    hint?: {
      readonly vo?: string
      /** Where the certificate was shown, if not here. */
      readonly host?: string
    },
  ): Promise<Principal>
}

/** What remains of a login by a limited proxy besides its rights at storages: the data's names, and looking around. */
export const LIMITED_SCOPES: readonly string[] = [
  ...['grid.catalog.*', 'grid.placement.*', 'grid.transfer.*'],
  ...['grid.identity.read', 'grid.sites.read', 'grid.operations.read'],
  ...LOGIN_SCOPES.filter((scope) => scope !== 'grid'),
]

export function createCertificateBearers(
  context: Context,
  rooms: {
    certificates: Certificates
    issuing: Pick<Issuing, 'isRevokedHere'>
    accounts: Pick<Accounts, 'attributes'>
    holders: Holders
    policies: Policies
    scopePolicies: ScopePolicyBook
    /** What VOMS says in a proxy; without it only the usual groups count. */
    proxyAttributes?: ProxyAttributes | undefined
  },
): CertificateBearers {
  const { certificates, issuing, accounts, holders, policies, scopePolicies, proxyAttributes } = rooms
  const bearers = context.memory<Pick<Principal, 'groups' | 'attributes' | 'scopes'>>()
  const factsOf = async (id: number, limited: boolean, attested: readonly string[]) => {
    const holder = await holders.of(id)
    const asked = [...attested.map(groupScope), ...(limited ? LIMITED_SCOPES : LOGIN_SCOPES)]
    // Attributes are hours old: what was taken away since then counts no more.
    const wanted = { holder, client: null, asked, lenient: true }
    const { scopes, groups } = await entitled(scopePolicies, wanted)
    const attributes = (await accounts.attributes([id])).get(id) ?? {}
    return { groups, attributes, scopes: scopes.map(parseScope) }
  }
  /** A proxy made for one VO says which of several is meant. */
  const attestedVo = async (chain: VerifiedChain, known: readonly StoredCertificate[]) => {
    if (!proxyAttributes || known.length < 2) return undefined
    for (const { vo } of known) if (await proxyAttributes.of(chain, vo)) return vo
    return undefined
  }
  return {
    async verifyCertificate(chain, { vo, host } = {}) {
      const { endEntity, limited } = chain
      const known = await certificates.accountsOfCertificate(endEntity)
      const record = chosen(known, vo ?? (await attestedVo(chain, known)))
      if (!record) throw await stranger(context, chain, vo)
      refuseSuspended(record)
      if (await issuing.isRevokedHere(endEntity))
        throw e.certificateSuspended(
          `The certificate ${record.subject} was revoked; get a new one: kumi proxy.`,
        )
      await policies.refresh()
      const { accountId } = record
      const attributes = await proxyAttributes?.of(chain, record.vo, host)
      const attested = attributes?.fqans.map(groupOfFqan) ?? []
      const key = [accountId, limited, ...attested].join(' ')
      const facts = await bearers.get(key, () => factsOf(accountId, limited, attested))
      return {
        ...facts,
        ...{ accountId, account: record.account, vo: record.vo, limited },
        expiresAt: earlier(chain.expiresAt, attributes?.expiresAt),
        kind: record.accountKind === 'SERVICE' ? 'service' : 'user',
        subject: slashOf(endEntity.subject),
        issuer: slashOf(endEntity.issuer),
        audience: [],
        tokenId: `x509:${endEntity.fingerprint.slice(0, 32)}`,
        method: 'x509',
        clientId: null,
        actors: [],
      }
    },
  }
}

export const groupScope = (path: string): string => `wlcg.groups:${path}`

const earlier = (one: Date, other: Date | undefined): Date => (other && other < one ? other : one)

function refuseSuspended({ state, subject, reason }: StoredCertificate): void {
  if (state !== 'SUSPENDED') return
  throw e.certificateSuspended(`The certificate ${subject} is suspended${reason && ` (${reason})`}.`)
}

function chosen(known: readonly StoredCertificate[], vo: string | undefined): StoredCertificate | undefined {
  const wanted = known.find((record) => record.vo === vo)
  if (wanted || known.length < 2) return wanted ?? known[0]
  const vos = known.map((record) => record.vo)
  throw e.voChoiceNeeded(`This certificate is known in several VOs (${vos.join(', ')}); say which.`, { vos })
}

/** Why nobody is known by this certificate, in words that help. */
async function stranger(
  context: Context,
  { endEntity }: VerifiedChain,
  vo: string | undefined,
): Promise<Error> {
  const { subject, subjectKey, issuer } = endEntity
  const named = await certificatesOfSubjects(context.db, vo ?? null, [subjectKey])
  if (named.some(({ state, accountStatus }) => state === 'LINKED' && accountStatus === 'ACTIVE'))
    return e.certificateIssuerChanged(
      `${slashOf(subject)} is known here with a certificate of another authority than ${slashOf(issuer)}; log in and link the new one with "kumi cert link", or ask a manager with "kumi cert request".`,
    )
  return e.certificateUnknown(
    `Nobody here is known by the certificate ${slashOf(subject)}; log in and link it with "kumi cert link".`,
  )
}
