import { DidsBody } from './bodies.ts'
import type { DatasetLockView } from './deps.ts'
import { didOf } from './dids.ts'
import { accountNames, bodyOf, type Call, type Endpoint, get, param } from './endpoint.ts'
import { sendLines } from './stream.ts'
import { wireId } from './wire.ts'

export const lockEndpoints: readonly Endpoint[] = [
  get('/locks/:rse', 'placement.rule.read', async (call) => {
    const { id: rseId } = await call.deps.rses.byName(call.vo, param(call, 'rse'))
    return send(call, await call.deps.placement.datasetLocks(call.deps.db, { vo: call.vo, rseId }))
  }),
  get('/locks/:scope/:name', 'placement.rule.read', async (call) =>
    send(call, await call.deps.placement.datasetLocks(call.deps.db, { vo: call.vo, dids: [didOf(call)] })),
  ),
  {
    method: 'POST',
    path: '/locks/bulk_locks_for_dids',
    action: 'placement.rule.read',
    async handler(call) {
      const { dids } = bodyOf(call, DidsBody)
      return send(call, await call.deps.placement.datasetLocks(call.deps.db, { vo: call.vo, dids }))
    },
  },
]

async function send(call: Call, locks: readonly DatasetLockView[]): Promise<unknown> {
  const names = await accountNames(
    call,
    locks.map(({ accountId }) => accountId),
  )
  const rses = new Map((await call.deps.rses.all(call.vo)).map((rse) => [rse.id, rse]))
  return sendLines(
    call.reply,
    locks.map((lock) => {
      const rse = rses.get(lock.rseId)
      return {
        rse_id: rse ? wireId(rse.uuid) : null,
        rse: rse?.name ?? null,
        scope: lock.scope,
        name: lock.name,
        rule_id: wireId(lock.ruleId),
        account: names.get(lock.accountId) ?? null,
        state: lock.state,
        length: lock.files,
        bytes: lock.bytes,
        accessed_at: null,
      }
    }),
  )
}
