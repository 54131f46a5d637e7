import { accountOf } from '../accounts/accounts.ts'
import { createGroups, type Groups } from '../accounts/groups.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import type { Page, Paged } from './condition.ts'
import { groupRequestDecided, groupRequestWaits } from './mail-texts.ts'
import { primaryAddresses } from './mails.store.ts'
import { post } from './mails.ts'
import { checkedLines, isUuid } from './names.ts'
import type { MembershipRequest, RequestFilter, RequestKind } from './requests.store.ts'
import * as store from './requests.store.ts'

export type { MembershipRequest, RequestFilter, RequestKind, RequestState } from './requests.store.ts'

export interface Requests {
  /** Registrations or group requests, oldest first; descending: what happened last first. */
  requests(vo: string, filter: RequestFilter, page: Page): Promise<Paged<MembershipRequest>>
  /** Throws request_missing. */
  request(vo: string, id: string): Promise<MembershipRequest>
  /** Asks the managers of a group for membership; throws request_exists, group_missing. */
  requestGroup(accountId: number, path: string, notes: string): Promise<MembershipRequest>
  approveGroupRequest(vo: string, id: string, by: string): Promise<MembershipRequest>
  rejectGroupRequest(vo: string, id: string, motivation: string, by: string): Promise<MembershipRequest>
  /** Takes a request back, or forgets a decided one. */
  deleteGroupRequest(vo: string, id: string, by: string): Promise<void>
  /** Ends one's own membership, and with it those below; the root group is left only with the VO. Throws group_missing. */
  leaveGroup(accountId: number, path: string): Promise<void>
}

const LONGEST_NOTES = 4000
const LONGEST_MOTIVATION = 1000

export function createRequests(context: Context, groups: Groups): Requests {
  const { db, ids, now, changing } = context
  const self: Requests = {
    async requests(vo, filter, page) {
      const [total, items] = await Promise.all([
        store.countRequests(db, vo, filter),
        store.selectRequests(db, vo, filter, page),
      ])
      return { total, items }
    },
    async request(vo, id) {
      const found = isUuid(id) ? await store.selectRequest(db, vo, id) : undefined
      if (!found) throw e.requestMissing(`There is no request ${id.slice(0, 60)} in ${vo}.`)
      return found
    },
    async requestGroup(accountId, path, notes) {
      const { vo, name, status } = await accountOf(context, accountId)
      if (status !== 'ACTIVE') throw e.accountSuspended(`The account ${name} is not active.`)
      const group = await groups.group(vo, path)
      const id = ids.uuid()
      await changing(vo, name, async (tx) => {
        if (await store.isMember(tx, accountId, group.id, now())) {
          throw e.requestExists(`${name} is a member of ${path} already.`)
        }
        const request = {
          ...({ id, vo, accountId, username: name, groupId: group.id, confirmation: null } as const),
          ...({ kind: 'group', state: 'PENDING' } as const),
          notes: checkedLines('notes', notes, LONGEST_NOTES),
        }
        if ((await store.insertRequest(tx, request, now())) === 0) {
          throw e.requestExists(`${name} asked for ${path} already; the managers decide.`)
        }
        const entry = { vo, actor: name, action: 'group.requested', target: name }
        await context.audit(tx, { ...entry, detail: { group: path, request: id } })
        const managers = (await createGroups(context.within(tx)).managersOf([group.id])).get(group.id) ?? []
        const to = await primaryAddresses(tx, managers)
        const texts = groupRequestWaits(name, path, id)
        await post(
          tx,
          now(),
          to.map((address) => ({ ...address, vo, kind: 'group.waits', texts })),
        )
      })
      return self.request(vo, id)
    },
    approveGroupRequest: (vo, id, by) => decided(vo, id, { state: 'APPROVED', by, motivation: '' }),
    rejectGroupRequest: (vo, id, motivation, by) =>
      decided(vo, id, { state: 'REJECTED', by, motivation: checkedMotivation(motivation) }),
    async deleteGroupRequest(vo, id, by) {
      const { username, group, kind } = await self.request(vo, id)
      if (kind !== 'group') throw e.requestMissing(`There is no group request ${id} in ${vo}.`)
      await changing(vo, username, async (tx) => {
        await store.deleteRequest(tx, id)
        const entry = { vo, actor: by, action: 'group.request_deleted', target: username }
        await context.audit(tx, { ...entry, detail: { group, request: id } })
      })
    },
    async leaveGroup(accountId, path) {
      const { vo, name } = await accountOf(context, accountId)
      const { id } = await groups.group(vo, path)
      if (path === `/${vo}`) {
        throw e.invalidRequest(`Who leaves ${path} leaves ${vo}: ask its managers to end your membership.`)
      }
      if (!(await store.isMember(db, accountId, id, now()))) {
        throw e.groupMissing(`${name} is no member of ${path}.`)
      }
      await groups.removeMembers(vo, path, [accountId], name)
    },
  }
  const decided = async (
    vo: string,
    id: string,
    decision: { state: 'APPROVED' | 'REJECTED'; by: string; motivation: string },
  ): Promise<MembershipRequest> => {
    const { accountId, username, group } = await openRequest(context, vo, id, 'group')
    const { state, by, motivation } = decision
    await changing(vo, username, async (tx) => {
      if ((await store.decideRequest(tx, id, decision, now())) === 0) {
        throw e.requestDecided('Somebody else decided this request just now.')
      }
      if (state === 'APPROVED') {
        const options = { origin: 'request', by }
        await createGroups(context.within(tx)).addMembers(vo, group!, [accountId!], options)
      }
      const action = `group.request_${state.toLowerCase()}`
      const detail = { group, request: id, motivation }
      await context.audit(tx, { vo, actor: by, action, target: username, detail })
      const to = await primaryAddresses(tx, [accountId!])
      const texts = groupRequestDecided(String(group), state === 'APPROVED', motivation)
      await post(
        tx,
        now(),
        to.map((address) => ({ ...address, vo, kind: 'group.decided', texts })),
      )
    })
    return self.request(vo, id)
  }
  return self
}

/** A request that waits for a decision; throws request_missing, request_decided. */
export async function openRequest(
  { db }: Context,
  vo: string,
  id: string,
  kind: RequestKind,
): Promise<MembershipRequest> {
  const found = isUuid(id) ? await store.selectRequest(db, vo, id) : undefined
  if (found?.kind !== kind) throw e.requestMissing(`There is no such request ${id.slice(0, 60)} in ${vo}.`)
  if (found.state === 'APPROVED' || found.state === 'REJECTED') {
    throw e.requestDecided(`This request was ${found.state.toLowerCase()} by ${found.decidedBy} already.`)
  }
  if (found.accountId === null) throw e.requestMissing('Whoever asked is not here any more.')
  return found
}

export function checkedMotivation(text: string): string {
  const clean = checkedLines('motivation', text, LONGEST_MOTIVATION)
  if (clean === '') throw e.invalidRequest('Say why: the person reads it, and the audit log keeps it.')
  return clean
}
