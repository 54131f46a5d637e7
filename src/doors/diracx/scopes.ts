import { wireError } from './errors.ts'

export interface DiracScope {
  readonly vo: string
  /** Path of a group here; null: the default one. */
  readonly group: string | null
  readonly properties: readonly string[]
}

/** What a member may do in the words of the field; the policy here decides by itself. */
export const MEMBER = ['NormalUser']
export const ADMINISTRATOR = ['NormalUser', 'JobAdministrator', 'ServiceAdministrator', 'Operator']

/** Groups have no leading slash there. */
export const groupName = (path: string): string => path.replace(/^\//, '')
const groupPath = (name: string): string => `/${groupName(name)}`

/** Exactly one `vo:`, at most one `group:`, any `property:`, nothing else. Errors: 400. */
export function readScopes(text: string, vos: readonly string[]): DiracScope {
  const words = text.split(' ').filter(Boolean)
  const of = (kind: string) =>
    words.filter((word) => word.startsWith(`${kind}:`)).map((word) => word.slice(kind.length + 1))
  const strange = words.filter((word) => !/^(vo|group|property):./.test(word))
  if (strange.length > 0) throw wireError(400, `Unrecognised scopes: ${strange.join(' ')}`)
  const [vo, ...more] = of('vo')
  const list = vos.map((name) => `'vo:${name}'`).join(', ')
  if (vo === undefined) throw wireError(400, `No vo scope requested, available values: ${list}`)
  if (more.length > 0) throw wireError(400, `Only one vo is allowed, got ${[vo, ...more].join(', ')}`)
  if (!vos.includes(vo)) throw wireError(400, `The vo ${vo} is not known, available values: ${list}`)
  const groups = of('group')
  if (groups.length > 1) throw wireError(400, `Only one group is allowed, got ${groups.join(', ')}`)
  return { vo, group: groups[0] ? groupPath(groups[0]) : null, properties: of('property') }
}
