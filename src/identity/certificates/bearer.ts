import type { Accounts } from '../accounts/accounts.ts'
import type { Membership } from '../accounts/group.ts'
import type { Groups } from '../accounts/groups.ts'
import { LOGIN_SCOPES } from '../accounts/login.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Standings } from '../people/standing.ts'
import type { Policies } from '../policy/policies.ts'
import type { Principal } from '../principal.ts'
import { parseScope } from '../tokens/scope.ts'
import { groupsCounting } from '../voms/fqan.ts'
import type { ProxyAttributes } from '../voms/proxy-attributes.ts'
import { slashOf, type VerifiedChain } from '../x509/index.ts'
import type { StoredCertificate } from './certificates.store.ts'
import { certificatesOfSubjects } from './certificates.store.ts'
import type { Certificates } from './certificates.ts'
import type { Issuing } from './issuing.ts'
import { refuseUnlessGood } from './standing.ts'

export interface CertificateBearers {
  /**
   * Who a verified certificate or proxy stands for. Throws certificate_unknown, certificate_issuer_changed,
   * vo_choice_needed, certificate_suspended, and what the account's standing says.
   */
  verifyCertificate(chain: VerifiedChain, hint?: { readonly vo?: string }): Promise<Principal>
}

/** What remains of a login by a limited proxy: data, and looking around. */
export const LIMITED_SCOPES: readonly string[] = [
  ...['grid.catalog.*', 'grid.placement.*', 'grid.transfer.*'],
  ...['grid.identity.read', 'grid.sites.read', 'grid.operations.read'],
  ...LOGIN_SCOPES.filter((scope) => scope.startsWith('storage.')),
]

export function createCertificateBearers(
  context: Context,
  rooms: {
    certificates: Certificates
    accounts: Pick<Accounts, 'attributes'>
    groups: Groups
    standings: Standings
    policies: Policies
    issuing: Pick<Issuing, 'isRevokedHere'>
    /** What VOMS says in a proxy; without it groups come from memberships alone. */
    proxyAttributes?: ProxyAttributes | undefined
  },
): CertificateBearers {
  const { certificates, accounts, groups, standings, policies, issuing, proxyAttributes } = rooms
  const bearers = context.memory<{
    memberships: readonly Membership[]
    attributes: Principal['attributes']
  }>()
  const factsOf = async (id: number) => {
    await refuseUnlessGood(standings, id)
    return {
      memberships: (await groups.membershipsOf([id])).get(id) ?? [],
      attributes: (await accounts.attributes([id])).get(id) ?? {},
    }
  }
  /** A proxy made for one VO says which of several is meant. */
  const attestedVo = async (chain: VerifiedChain, known: readonly StoredCertificate[]) => {
    if (!proxyAttributes || known.length < 2) return undefined
    for (const { vo } of known) if (await proxyAttributes.of(chain, vo)) return vo
    return undefined
  }
  return {
    async verifyCertificate(chain, { vo } = {}) {
      const { endEntity, limited } = chain
      const known = await certificates.accountsOfCertificate(endEntity)
      const record = chosen(known, vo ?? (await attestedVo(chain, known)))
      if (!record) throw await stranger(context, chain, vo)
      if (record.state === 'SUSPENDED')
        throw e.certificateSuspended(
          `The certificate ${record.subject} is suspended${record.reason && ` (${record.reason})`}.`,
        )
      if (await issuing.isRevokedHere(endEntity))
        throw e.certificateSuspended(
          `The certificate ${record.subject} was revoked; get a new one with "kumi proxy".`,
        )
      await policies.refresh()
      const attested = await proxyAttributes?.of(chain, record.vo)
      const facts = await bearers.get(String(record.accountId), () => factsOf(record.accountId))
      return {
        attributes: facts.attributes,
        groups: groupsCounting(facts.memberships, attested?.fqans),
        kind: record.accountKind === 'SERVICE' ? 'service' : 'user',
        accountId: record.accountId,
        account: record.account,
        vo: record.vo,
        subject: slashOf(endEntity.subject),
        issuer: slashOf(endEntity.issuer),
        scopes: (limited ? LIMITED_SCOPES : LOGIN_SCOPES).map(parseScope),
        audience: [],
        tokenId: `x509:${endEntity.fingerprint.slice(0, 32)}`,
        expiresAt: new Date(Math.min(+chain.expiresAt, +(attested?.expiresAt ?? chain.expiresAt))),
        method: 'x509',
        limited,
        clientId: null,
        actors: [],
      }
    },
  }
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
