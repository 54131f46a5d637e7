import type { Identity, Label, NewEmail, Person, PersonChange } from '../../identity/index.ts'
import { certificateView, certificateWish } from './certificates.ts'
import { badValue, immutable } from './errors.ts'
import { isObject, type Resource } from './patch.ts'
import { ENTERPRISE, INDIGO_USER, USER } from './schemas.ts'

/** People as SCIM users, in few questions for many of them. `base` is the address of the door. */
export async function userResources(
  identity: Identity,
  people: readonly Person[],
  base: string,
): Promise<Resource[]> {
  const ids = people.map(({ id }) => id)
  const [labels, attributes, memberships, managed, identities, policy, certificates] = await Promise.all([
    identity.labelsOf('account', ids),
    identity.genericAttributesOf('account', ids),
    identity.membershipsOf(ids),
    identity.managedGroups(ids),
    identity.identitiesOf(ids),
    identity.attributes(ids),
    identity.certificatesOf(ids),
  ])
  return people.map((person) => {
    const { id, uuid, username, givenName, familyName, institute, emails, signedAt, endTime } = person
    const formatted = [givenName, familyName].filter(Boolean).join(' ')
    const manages = managed.get(id) ?? []
    const own = identities.filter(({ accountId }) => accountId === id)
    return {
      schemas: [USER, INDIGO_USER, ...(institute ? [ENTERPRISE] : [])],
      id: uuid,
      meta: meta('User', person, `${base}/Users/${uuid}`),
      userName: username,
      displayName: formatted || username,
      active: person.status === 'ACTIVE',
      name: { givenName, familyName, formatted },
      emails: emails.map(({ address, primary }) => ({ type: 'work', value: address, primary })),
      groups: (memberships.get(id) ?? []).map((group) => ({
        value: group.uuid,
        display: group.path.slice(1),
        $ref: `${base}/Groups/${group.uuid}`,
      })),
      [INDIGO_USER]: {
        serviceAccount: person.kind === 'SERVICE',
        sshKeys: own.filter(({ kind }) => kind === 'SSH').map(({ identity: value }) => ({ value })),
        oidcIds: own.filter(({ kind }) => kind === 'OIDC').flatMap((login) => oidcId(login.identity) ?? []),
        certificates: (certificates.get(id) ?? []).map((record, i) => certificateView(record, i === 0)),
        labels: (labels.get(id) ?? []).map(labelView),
        attributes: attributes.get(id) ?? [],
        ...(signedAt && { aupSignatureTime: signedAt.toISOString() }),
        ...(endTime && { endTime: endTime.toISOString() }),
        authorities: authorities(policy.get(id), manages),
        managedGroups: manages.map((group) => ({ value: group.uuid, display: group.path.slice(1) })),
      },
      ...(institute && { [ENTERPRISE]: { organization: institute } }),
    }
  })
}

export function meta(resourceType: string, of: { createdAt: Date; updatedAt: Date }, location: string) {
  return {
    resourceType,
    created: of.createdAt.toISOString(),
    lastModified: of.updatedAt.toISOString(),
    location,
  }
}

/** A label without a prefix, or without a value, has none on the wire. */
export function labelView({ prefix, name, value }: Label): Resource {
  return { ...(prefix && { prefix }), name, ...(value && { value }) }
}

/** What IAM calls authorities: administrators and managers of groups have more than the usual one. */
export function authorities(
  policy: Readonly<Record<string, string>> | undefined,
  manages: readonly { uuid: string }[],
): string[] {
  const admin = policy?.admin?.toLowerCase() === 'true'
  return ['ROLE_USER', ...(admin ? ['ROLE_ADMIN'] : []), ...manages.map(({ uuid }) => `ROLE_GM:${uuid}`)]
}

/** What has to change so that the person is as the resource says; `whole`: what it leaves out is to go. */
export function changeTo(before: Resource, after: Resource, whole: boolean): PersonChange {
  if (String(after.userName ?? before.userName).toLowerCase() !== before.userName) {
    throw immutable('A user name never changes; others refer to it.')
  }
  const differs = (a: unknown, b: unknown) => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null)
  const [old, next] = [extension(before, INDIGO_USER), extension(after, INDIGO_USER)]
  const [oldName, newName] = [extension(before, 'name'), extension(after, 'name')]
  const given = (holder: Resource, key: string) => whole || Object.hasOwn(holder, key)
  const changed = (a: Resource, b: Resource, key: string) => given(b, key) && differs(a[key], b[key])
  const institute = [extension(before, ENTERPRISE), extension(after, ENTERPRISE)] as const
  return {
    ...(changed(oldName, newName, 'givenName') && { givenName: String(newName.givenName ?? '') }),
    ...(changed(oldName, newName, 'familyName') && { familyName: String(newName.familyName ?? '') }),
    ...(changed(...institute, 'organization') && {
      institute: String(institute[1].organization ?? ''),
    }),
    ...(changed(before, after, 'emails') && { emails: emailsOf(after) }),
    ...(after.active !== undefined &&
      differs(before.active, after.active) && { active: after.active === true, reason: 'through SCIM' }),
    ...(changed(old, next, 'endTime') && { endTime: timeOf(next.endTime) }),
    ...(changed(old, next, 'labels') && { labels: labelsOf(next) }),
    ...(changed(old, next, 'attributes') && { attributes: attributesOf(next) }),
    ...(changed(old, next, 'certificates') && {
      certificates: list(next.certificates).map(certificateWish),
    }),
    ...((changed(old, next, 'oidcIds') || changed(old, next, 'sshKeys')) && { logins: loginsOf(next) }),
  }
}

export function emailsOf(resource: Resource): NewEmail[] {
  return list(resource.emails).map((email) => ({
    address: String(email.value ?? ''),
    primary: email.primary === true,
  }))
}

export function labelsOf(holder: Resource): Label[] {
  return list(holder.labels).map(({ prefix = '', name = '', value = '' }) => ({
    prefix: String(prefix ?? ''),
    name: String(name),
    value: String(value ?? ''),
  }))
}

function attributesOf(holder: Resource) {
  return list(holder.attributes).map(({ name, value }) => ({
    name: String(name ?? ''),
    value: String(value ?? ''),
  }))
}

function loginsOf(holder: Resource): { OIDC: string[]; SSH: string[] } {
  return {
    OIDC: list(holder.oidcIds).map(({ issuer, subject }) => {
      const fine = (text: unknown): text is string => typeof text === 'string' && /^[^\s,]{1,500}$/.test(text)
      if (!fine(issuer) || !fine(subject)) throw badValue('A login elsewhere has an issuer and a subject.')
      return `SUB=${subject}, ISS=${issuer}`
    }),
    SSH: list(holder.sshKeys).map(({ value }) => {
      if (typeof value !== 'string' || !/^[\x20-\x7e]{1,20000}$/.test(value)) {
        throw badValue('A public key is one line of text.')
      }
      return value
    }),
  }
}

function oidcId(identity: string): Resource | null {
  const [, subject, issuer] = /^SUB=([^,]+), ISS=(.+)$/.exec(identity) ?? []
  return subject && issuer ? { issuer, subject } : null
}

export function timeOf(value: unknown): Date | null {
  if (value === undefined || value === null || value === '') return null
  // Milliseconds too, also as a text: some of IAM's scripts send them.
  const milliseconds = typeof value === 'number' || (typeof value === 'string' && /^\d{10,14}$/.test(value))
  const time = new Date(milliseconds ? Number(value) : typeof value === 'string' ? value : Number.NaN)
  if (Number.isNaN(time.getTime())) throw badValue('A time is written like 2027-03-31T15:00:00Z.')
  return time
}

export function extension(resource: Resource, id: string): Resource {
  return isObject(resource[id]) ? (resource[id] as Resource) : {}
}

function list(value: unknown): Resource[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}
