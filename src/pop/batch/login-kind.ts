import { join } from 'node:path'
import type { LoginHost } from './cluster.ts'
import type { BatchKind, PlacedBatch, PlaceSetting, TakeStep } from './kind.ts'
import type { LoginBatch, LoginOptions } from './login-batch.ts'
import { connectionOf, ownKey } from './ssh.ts'

/** A kind of batch system behind ssh. The gateway has one key for all of them. */
export function loginKind<Host extends LoginHost, Batch extends LoginBatch>(kind: {
  read(given: unknown): Host
  open(options: LoginOptions<Host>): Batch
  /** The steps after the login. */
  test(batch: Batch, host: Host, offer: Parameters<PlacedBatch['test']>[0], step: TakeStep): Promise<void>
}): BatchKind<Host> {
  return {
    read: kind.read,
    open(cluster, { gateway, name, directory, shared, program }: PlaceSetting) {
      const identity = join(shared, 'key')
      const key = () => ownKey(identity, `kumi-gateway-${gateway}`)
      const batch = kind.open({ cluster, identity, program, directory, space: `${gateway}-${name}` })
      return {
        ...batch,
        connection: connectionOf(cluster),
        pollSeconds: cluster.pollSeconds,
        prepare: async () => void (await key()),
        async test(offer, step) {
          await step('key', async () => [true, await key()])
          const pilots = await step('ssh', async () => [
            await batch.list(),
            'the login host answers; the directory there can be written',
          ])
          if (pilots) await kind.test(batch, cluster, offer, step)
        },
      }
    },
  }
}
