import type { Db } from '../../kernel/database.ts'
import { defineError } from '../../kernel/errors.ts'
import { certificateSuspended } from '../errors.ts'
import type { Identity } from '../identity.ts'
import { standing } from '../people/standing.ts'
import type { Certificate } from '../x509/certificate.ts'
import type { VerifiedChain } from '../x509/chain.ts'
import { slashOf } from '../x509/names.ts'
import { type AuthorityCredential, buildAttributeCertificate } from './build.ts'
import { type Fqan, isOfVo, longFqan, shortFqan } from './fqan.ts'
import { type AttributeRequest, grantAttributes, invalidAttributeRequest } from './grant.ts'
import { type Member, selectMember } from './members.store.ts'

export const unknownToVo = defineError('denied', 'voms_no_such_user')

/** What the authority asks of the rest of identity. */
export type Registry = Pick<Identity, 'listVos' | 'accountsOfCertificate' | 'isRevokedHere' | 'audit'>

type Known = Awaited<ReturnType<Registry['accountsOfCertificate']>>[number]

export interface AttributeAuthorityOptions {
  readonly db: Db
  readonly identity: Registry
  readonly now: () => Date
  readonly credential: () => AuthorityCredential
  /** For requests that name no VO, by certificates that several know. */
  readonly defaultVo: string
  /** No attributes last longer, seconds. */
  readonly mostSeconds: number
  /** Where people link certificates and sign the usage policy. */
  readonly consoleUrl: string
}

export interface IssuedAttributes {
  readonly der: Buffer
  readonly serial: string
  readonly vo: string
  readonly fqans: readonly Fqan[]
  readonly notAfter: Date
  /** For the person to read. */
  readonly warnings: readonly string[]
}

export interface AttributeAuthority {
  /**
   * Attests groups and roles to whom the chain belongs. Throws `voms_no_such_user`, the code of a standing that is not
   * good, `voms_attribute_denied`, `invalid_attribute_request`; each message says what the person can do.
   */
  issue(requester: VerifiedChain, request: AttributeRequest): Promise<IssuedAttributes>
}

export function createAttributeAuthority(options: AttributeAuthorityOptions): AttributeAuthority {
  const { db, identity, now } = options
  return {
    async issue({ endEntity }, request) {
      const known = await identity.accountsOfCertificate(endEntity)
      const vo = await voOf(request, known, options)
      const record = known.find((one) => one.vo === vo)
      const member = await memberOf(vo, endEntity, record, options)
      const { name: account } = member
      const at = now()
      const grant = grantAttributes(member, request, {
        vo,
        member: account,
        now: at,
        mostSeconds: options.mostSeconds,
        certificateEnds: endEntity.notAfter,
      })
      const { der, serial } = buildAttributeCertificate({
        ...grant,
        holder: endEntity,
        authority: options.credential(),
        vo,
        targets: request.targets,
      })
      await identity.audit(db, {
        ...{ vo, actor: account, action: 'voms.attributes_issued', target: account },
        detail: {
          serial,
          subject: slashOf(endEntity.subject),
          fqans: grant.fqans.map(longFqan),
          seconds: Math.round((grant.notAfter.getTime() - at.getTime()) / 1000),
          ...(request.targets.length > 0 && { targets: request.targets }),
        },
      })
      return { der, serial, vo, fqans: grant.fqans, notAfter: grant.notAfter, warnings: grant.warnings }
    },
  }
}

/** The VO whose tree is asked for; else the one that knows the certificate. */
async function voOf(
  { fqans, order }: AttributeRequest,
  known: readonly { readonly vo: string }[],
  { identity, defaultVo }: AttributeAuthorityOptions,
): Promise<string> {
  const named = fqans === 'all' ? order : fqans
  const [first] = named
  if (!first) return known.length === 1 ? known[0]!.vo : defaultVo
  const of = (vos: readonly string[]): string | undefined => vos.find((vo) => isOfVo(first, vo))
  const mine = of(known.map((one) => one.vo))
  const vos = mine ? [mine] : (await identity.listVos()).map(({ id }) => id)
  const vo = of(vos)
  if (!vo)
    throw invalidAttributeRequest(`${shortFqan(first)} belongs to no VO of this server: ${vos.join(', ')}.`)
  const other = named.find((fqan) => !isOfVo(fqan, vo))
  if (other)
    throw invalidAttributeRequest(`${shortFqan(other)} is not of the VO ${vo}; ask one VO at a time.`)
  return vo
}

/** The owner of the certificate, if attributes of the VO may be given now. */
async function memberOf(
  vo: string,
  certificate: Certificate,
  record: Known | undefined,
  { db, identity, consoleUrl, now }: AttributeAuthorityOptions,
): Promise<Member> {
  const member = record && (await selectMember(db, record.accountId, now()))
  if (!record || !member) {
    // Clients look for the first words, and then do not ask a second time by the older protocol.
    throw unknownToVo(
      `User unknown to this VO: no account of ${vo} has the certificate "${slashOf(certificate.subject)}" issued by "${slashOf(certificate.issuer)}". Register, or link the certificate to your account, at ${consoleUrl}`,
    )
  }
  if (record.state === 'SUSPENDED') {
    const because = record.reason && ` (${record.reason})`
    throw certificateSuspended(
      `The certificate ${record.subject} is suspended${because}; ask the managers of ${vo}.`,
    )
  }
  if (await identity.isRevokedHere(certificate)) {
    throw certificateSuspended(`The certificate ${record.subject} was revoked; get a new one: kumi proxy.`)
  }
  const stands = standing(member, now())
  if (stands.state === 'good') return member
  throw defineError('denied', stands.code)(`${stands.message} ${consoleUrl}`)
}
