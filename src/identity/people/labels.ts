import { grouped } from '../../kernel/grouped.ts'
import { createGroups } from '../accounts/groups.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Attribute, Label, Owner } from './labels.store.ts'
import * as store from './labels.store.ts'

export type { Attribute, Label, Owner, OwnerKind } from './labels.store.ts'

/** Clients have labels only. */
type AttributeOwner = Owner & { readonly kind: 'account' | 'group' }

export interface Labels {
  /** By id of the owner; also what the grid itself knows, such as `voms.role` and `lifecycle.status`. */
  labelsOf(kind: store.OwnerKind, ids: readonly number[]): Promise<Map<number, Label[]>>
  /** Sets the value of one label; on groups `wlcg.optional-group` and `voms.role` make the group what they say. */
  setLabel(owner: Owner, label: Label, by: string): Promise<void>
  deleteLabel(owner: Owner, label: { prefix?: string; name: string }, by: string): Promise<void>
  /** Generic attributes as VOMS and tokens assert them; no policy looks at them. */
  genericAttributesOf(kind: 'account' | 'group', ids: readonly number[]): Promise<Map<number, Attribute[]>>
  setGenericAttribute(owner: AttributeOwner, attribute: Attribute, by: string): Promise<void>
  deleteGenericAttribute(owner: AttributeOwner, name: string, by: string): Promise<void>
}

const PREFIX = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,62}[A-Za-z0-9])?)?$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/
const LONGEST_VALUE = 256
/** Labels that show the state of an account: only the grid itself changes that. */
const OWN = new Set(['lifecycle.status', 'lifecycle.timestamp'])
const FLAGS: Readonly<Record<string, 'optional' | 'role'>> = {
  'wlcg.optional-group': 'optional',
  'voms.role': 'role',
}

export function createLabels(context: Context): Labels {
  const { db, changing } = context
  const flagOf = (owner: Owner, { prefix = '', name }: { prefix?: string; name: string }) =>
    owner.kind === 'group' && prefix === '' && Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined
  const ownerOf = async (owner: Owner): Promise<{ vo: string; name: string }> => {
    const found = await store.selectOwner(db, owner)
    if (!found) throw e.accountMissing('What should be labelled is not there.')
    return found
  }
  const self: Labels = {
    async labelsOf(kind, ids) {
      const found = grouped(await store.selectLabels(db, kind, ids), ({ owner }) => owner)
      return new Map(
        [...found].map(([owner, list]) => [owner, list.map(({ owner: _owner, ...label }) => label)]),
      )
    },
    async setLabel(owner, label, by) {
      checkName(label)
      checkValue(label.value)
      const { vo, name } = await ownerOf(owner)
      const flag = flagOf(owner, label)
      await changing(vo, name, async (tx) => {
        if (flag) await createGroups(context.within(tx)).updateGroup(vo, name, { [flag]: true }, by)
        else await store.putLabel(tx, owner, label)
        const entry = { vo, actor: by, action: `${owner.kind}.label_set`, target: name }
        await context.audit(tx, { ...entry, detail: { ...label } })
      })
    },
    async deleteLabel(owner, label, by) {
      checkName(label)
      const { vo, name } = await ownerOf(owner)
      const flag = flagOf(owner, label)
      await changing(vo, name, async (tx) => {
        // A role is always optional, so with that label the other goes too.
        const change = flag === 'optional' ? { role: false, optional: false } : { role: false }
        if (flag) await createGroups(context.within(tx)).updateGroup(vo, name, change, by)
        else await store.dropLabel(tx, owner, label.prefix ?? '', label.name)
        const entry = { vo, actor: by, action: `${owner.kind}.label_removed`, target: name }
        await context.audit(tx, { ...entry, detail: { ...label } })
      })
    },
    async genericAttributesOf(kind, ids) {
      const found = grouped(await store.selectAttributes(db, kind, ids), ({ owner }) => owner)
      return new Map(
        [...found].map(([owner, list]) => [owner, list.map(({ name, value }) => ({ name, value }))]),
      )
    },
    async setGenericAttribute(owner, attribute, by) {
      if (!NAME.test(attribute.name)) throw badName('attribute', attribute.name)
      checkValue(attribute.value)
      const { vo, name } = await ownerOf(owner)
      await changing(vo, name, async (tx) => {
        await store.putAttribute(tx, owner, attribute)
        const entry = { vo, actor: by, action: `${owner.kind}.attribute_set`, target: name }
        await context.audit(tx, { ...entry, detail: { ...attribute } })
      })
    },
    async deleteGenericAttribute(owner, attribute, by) {
      const { vo, name } = await ownerOf(owner)
      await changing(vo, name, async (tx) => {
        await store.dropAttribute(tx, owner, attribute)
        const entry = { vo, actor: by, action: `${owner.kind}.attribute_removed`, target: name }
        await context.audit(tx, { ...entry, detail: { name: attribute } })
      })
    },
  }
  return self
}

function checkName({ prefix = '', name }: { prefix?: string; name: string }): void {
  if (!PREFIX.test(prefix)) throw badName('prefix', prefix)
  if (!NAME.test(name)) throw badName('label', name)
  if (prefix === '' && OWN.has(name)) {
    throw e.invalidRequest(
      `The label ${name} shows how far the end of a membership is; change the end itself.`,
    )
  }
}

function checkValue(value: string): void {
  if (value.length <= LONGEST_VALUE && !/\p{Cc}/u.test(value)) return
  throw e.invalidRequest(`A value has at most ${LONGEST_VALUE} characters, all of which can be shown.`)
}

const badName = (what: string, name: string) =>
  e.invalidRequest(
    `${JSON.stringify(name.slice(0, 60))} is no name of a ${what}: begin with a letter or digit; "_", "." and "-" may follow.`,
  )
