import { defineError } from '../../kernel/errors.ts'

export const invalidFqan = defineError('invalid', 'invalid_fqan')

/** A "fully qualified attribute name": a group of a VO, or a role in one. */
export interface Fqan {
  /** `/demo/analysis` */
  readonly group: string
  /** Null for plain membership. */
  readonly role: string | null
}

const LONGEST = 255
const PART = '[A-Za-z0-9_][\\w.-]*'
/** The capability was never used by anybody, but it is written all the same. */
const FORM = new RegExp(`^((?:/${PART})+)(?:/Role=(${PART}))?(?:/Capability=(?:${PART}))?$`)

/** Reads the short and the long form; throws invalid_fqan. */
export function parseFqan(text: string): Fqan {
  const [, group, role = 'NULL'] = text.length <= LONGEST ? (FORM.exec(text) ?? []) : []
  if (group) return { group, role: role === 'NULL' ? null : role }
  throw invalidFqan(
    `"${printable(text.slice(0, 100))}" is no group or role: write /vo/group or /vo/group/Role=name, at most ${LONGEST} characters.`,
  )
}

/** As people write it: `/demo/analysis/Role=production`. */
export const shortFqan = ({ group, role }: Fqan): string => (role === null ? group : `${group}/Role=${role}`)

/** As attribute certificates have always had it. */
export const longFqan = ({ group, role }: Fqan): string => `${group}/Role=${role ?? 'NULL'}/Capability=NULL`

/** Whether it lies in the tree of the VO; nobody but the VO's own authority may say anything about it. */
export const isOfVo = ({ group }: Fqan, vo: string): boolean =>
  group === `/${vo}` || group.startsWith(`/${vo}/`)

/** The path of the group that stands for it: a role is a group below the one it is held in. */
export const groupOfFqan = ({ group, role }: Fqan): string => (role === null ? group : `${group}/${role}`)

/** The attribute that a group stands for. */
export function fqanOfGroup({ path, role }: { readonly path: string; readonly role: boolean }): Fqan {
  const at = path.lastIndexOf('/')
  return role ? { group: path.slice(0, at), role: path.slice(at + 1) } : { group: path, role: null }
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?')
