import { accountOf, createAccounts } from '../accounts/accounts.ts'
import type { Group } from '../accounts/group.ts'
import { createGroups } from '../accounts/groups.ts'
import {
  certificatesById,
  certificatesOfAccounts,
  type StoredCertificate,
} from '../certificates/certificates.store.ts'
import { type CertificateNames, type LinkRequest, linkIn, unlinkIn } from '../certificates/certificates.ts'
import type { Context } from '../context.ts'
import { identityExists } from '../errors.ts'
import { type Certificate, keyOf, type Name } from '../x509/index.ts'
import type { Attribute, Label, Owner } from './labels.store.ts'
import { createLabels } from './labels.ts'
import { isUuid } from './names.ts'
import { idsByUuid } from './people.store.ts'
import { createPeople, type NewEmail, type NewPerson, type ProfileChange } from './people.ts'
import type { Person } from './person.ts'

/** A certificate, or the names of one that was not seen yet; the issuer may be unknown. */
export interface CertificateWish {
  readonly subject: Name
  readonly issuer: Name | null
  readonly certificate?: Certificate
  readonly label?: string
}

/** Whole lists replace what is there; what is absent stays. */
export interface PersonChange extends ProfileChange {
  readonly emails?: readonly NewEmail[]
  readonly endTime?: Date | null
  readonly active?: boolean
  /** For the log and the person, when `active` changes. */
  readonly reason?: string
  readonly labels?: readonly Label[]
  readonly attributes?: readonly Attribute[]
  /** Other ways to log in: `SUB=…, ISS=…`, or a public key. */
  readonly certificates?: readonly CertificateWish[]
  readonly logins?: { readonly OIDC?: readonly string[]; readonly SSH?: readonly string[] }
}

export interface Updates {
  /** Many changes of one person, all of them or none. */
  updatePerson(accountId: number, change: PersonChange, by: string): Promise<Person>
  /** As `createPerson`, with everything else at once. */
  createWholePerson(person: NewPerson, more: PersonChange, by: string): Promise<Person>
  /** A group with its labels, which may make it optional or a role. */
  createGroup(
    vo: string,
    group: { path: string; description?: string; labels?: readonly Label[] },
    by: string,
  ): Promise<Group>
  describeGroup(
    vo: string,
    path: string,
    change: { description?: string; labels?: readonly Label[] },
    by: string,
  ): Promise<Group>
  /** Account ids; subjects that are not of this VO, or removed, are left out. */
  accountsByUuid(vo: string, uuids: readonly string[]): Promise<Map<string, number>>
}

const OWN_LABELS = ['lifecycle.status', 'lifecycle.timestamp']

export function createUpdates(context: Context): Updates {
  const { db, changing } = context
  return {
    async updatePerson(id, change, by) {
      const { vo, name } = await accountOf(context, id)
      return changing(vo, name, async (tx) => {
        await apply(context.within(tx), id, change, by)
        return (
          await createPeople(context.within(tx), createAccounts(context.within(tx))).peopleById([id])
        )[0]!
      })
    },
    createWholePerson: (person, more, by) =>
      changing(person.vo, person.username, async (tx) => {
        const people = createPeople(context.within(tx), createAccounts(context.within(tx)))
        const { id } = await people.createPerson(person, by)
        await apply(context.within(tx), id, more, by)
        return (await people.peopleById([id]))[0]!
      }),
    createGroup: (vo, { labels = [], ...group }, by) =>
      changing(vo, group.path, async (tx) => {
        const groups = createGroups(context.within(tx))
        const [made] = await groups.createGroups(vo, [group], by)
        await replaceLabels(context.within(tx), { kind: 'group', id: made!.id }, labels, by)
        return groups.group(vo, group.path)
      }),
    describeGroup: (vo, path, { description, labels }, by) =>
      changing(vo, path, async (tx) => {
        const groups = createGroups(context.within(tx))
        const { id, description: before } = await groups.group(vo, path)
        if (description !== undefined && description !== before) {
          await groups.updateGroup(vo, path, { description }, by)
        }
        if (labels) await replaceLabels(context.within(tx), { kind: 'group', id }, labels, by)
        return groups.group(vo, path)
      }),
    async accountsByUuid(vo, uuids) {
      const proper = uuids.filter((uuid) => isUuid(uuid))
      return new Map((await idsByUuid(db, vo, proper)).map(({ uuid, id }) => [uuid, id]))
    },
  }
}

async function apply(inside: Context, id: number, change: PersonChange, by: string): Promise<void> {
  const accounts = createAccounts(inside)
  const people = createPeople(inside, accounts)
  const { emails, endTime, active, reason = 'by an administrator', labels, attributes, logins = {} } = change
  const { givenName, familyName, institute } = change
  if (givenName !== undefined || familyName !== undefined || institute !== undefined) {
    const profile = {
      ...(givenName !== undefined && { givenName }),
      ...(familyName !== undefined && { familyName }),
      ...(institute !== undefined && { institute }),
    }
    await people.changeProfile(id, profile, by)
  }
  if (emails) await people.setEmails(id, emails, by)
  if (endTime !== undefined) await people.setEndTime(id, endTime, by)
  const { status } = await accountOf(inside, id)
  if (active === true && status !== 'ACTIVE') await people.restore(id, reason, by)
  if (active === false && status === 'ACTIVE') await people.suspend(id, reason, by)
  if (labels) await replaceLabels(inside, { kind: 'account', id }, labels, by)
  if (attributes) await replaceAttributes(inside, id, attributes, by)
  if (change.certificates) await replaceCertificates(inside, id, change.certificates, by)
  for (const kind of ['OIDC', 'SSH'] as const) {
    const wanted = logins[kind]
    if (wanted) await replaceLogins(inside, id, kind, wanted, by)
  }
}

async function replaceLabels(
  inside: Context,
  owner: Exclude<Owner, { kind: 'client' }>,
  wanted: readonly Label[],
  by: string,
) {
  const labels = createLabels(inside)
  const changeable = ({ prefix, name }: Label) => prefix !== '' || !OWN_LABELS.includes(name)
  const key = ({ prefix, name }: Label) => `${prefix}/${name}`
  const present = ((await labels.labelsOf(owner.kind, [owner.id])).get(owner.id) ?? []).filter(changeable)
  // A role is optional, said or not.
  const role =
    owner.kind === 'group' && wanted.some(({ prefix, name }) => prefix === '' && name === 'voms.role')
  const complete = role ? [{ prefix: '', name: 'wlcg.optional-group', value: '' }, ...wanted] : wanted
  const next = new Map(complete.filter(changeable).map((label) => [key(label), label]))
  for (const old of present) if (!next.has(key(old))) await labels.deleteLabel(owner, old, by)
  for (const label of next.values()) {
    const same = present.some((old) => key(old) === key(label) && old.value === label.value)
    if (!same) await labels.setLabel(owner, label, by)
  }
}

async function replaceAttributes(inside: Context, id: number, wanted: readonly Attribute[], by: string) {
  const labels = createLabels(inside)
  const owner = { kind: 'account', id } as const
  const present = (await labels.genericAttributesOf('account', [id])).get(id) ?? []
  const next = new Map(wanted.map((attribute) => [attribute.name, attribute]))
  for (const { name } of present) if (!next.has(name)) await labels.deleteGenericAttribute(owner, name, by)
  for (const attribute of next.values()) {
    const same = present.some(({ name, value }) => name === attribute.name && value === attribute.value)
    if (!same) await labels.setGenericAttribute(owner, attribute, by)
  }
}

async function replaceLogins(
  inside: Context,
  id: number,
  kind: 'OIDC' | 'SSH',
  wanted: readonly string[],
  by: string,
) {
  const accounts = createAccounts(inside)
  const { vo } = await accountOf(inside, id)
  const present = (await accounts.identitiesOf([id])).filter((one) => one.kind === kind)
  for (const { identity } of present) {
    if (!wanted.includes(identity)) await accounts.removeIdentity(id, kind, identity, by)
  }
  const fresh = wanted.filter((identity) => !present.some((one) => one.identity === identity))
  for (const identity of fresh) {
    const [other] = await accounts.accountsOfIdentity(vo, kind, identity)
    if (other) throw identityExists(`That ${kind} login belongs to ${other.name} already.`)
  }
  const added = [...new Set(fresh)].map((identity) => ({ accountId: id, kind, identity }))
  if (added.length > 0) await accounts.addIdentities(added, by)
}

async function replaceCertificates(
  inside: Context,
  id: number,
  wanted: readonly CertificateWish[],
  by: string,
): Promise<void> {
  const account = await accountOf(inside, id)
  const ids = (await certificatesOfAccounts(inside.db, [id])).map((record) => record.id)
  const present = await certificatesById(inside.db, account.vo, ids)
  const same = (record: StoredCertificate, { subject, issuer }: CertificateWish) =>
    record.subjectKey === keyOf(subject) && (issuer === null || record.issuerKey === keyOf(issuer))
  for (const record of present) {
    if (!wanted.some((wish) => same(record, wish))) await unlinkIn(inside, inside.db, record, by)
  }
  for (const wish of wanted) {
    const known = present.find((record) => same(record, wish))
    // Names that stand already gain by a certificate only.
    if (known && !(wish.certificate && known.pem === null)) continue
    const request = { accountId: id, origin: 'administrator', ...(wish.label && { label: wish.label }) }
    await linkIn(inside, inside.db, account, { ...request, ...wish } as LinkRequest & CertificateNames, by)
  }
}
