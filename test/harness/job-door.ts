import { createRseTable } from '../../src/catalog/index.ts'
import type { JobDoorDeps } from '../../src/doors/kumi/job-deps.ts'
import type { Identity } from '../../src/identity/index.ts'
import { type Db, silentLogger, systemClock, systemPorts, type Wakeups } from '../../src/kernel/index.ts'
import type { RawDeps } from '../../src/raw/index.ts'
import { memoryDriver } from '../../src/storage/memory.ts'
import { createMarkets, createSandboxes } from '../../src/workload/index.ts'

const nobodyWakes: Wakeups = { on: () => () => undefined, close: async () => undefined }

/** What the routes about jobs need, where no storage is asked. */
export const jobDoorDeps = (
  db: Db,
  identity: Identity,
  audience = 'https://localhost:7443',
): JobDoorDeps => ({
  ...{
    db,
    clock: systemClock,
    rng: systemPorts.rng,
    wakeups: nobodyWakes,
    identity,
    rses: createRseTable(db),
    audience,
  },
  ...{ markets: createMarkets(db), verifyArrivals: async () => undefined, storagesAt: async () => [] },
  inspect: async () => new Map(),
  open: async () => () => Promise.reject(new Error('there is no storage here')),
  ...{ review: async () => undefined, addRules: async () => [] },
  software: {
    pin: async (_vo, release) => {
      throw new Error(`there is no ${release} here`)
    },
  },
  sandboxes: createSandboxes({
    db,
    log: silentLogger,
    storage: memoryDriver(),
    sealKey: Buffer.alloc(32, 7),
  }),
})

/** What the routes about raw data need, where no storage is asked. */
export const rawDoorDeps = (db: Db): RawDeps => ({
  ...{ db, log: silentLogger, rses: createRseTable(db), stat: async () => undefined },
  ...{ copies: { verify: async () => true }, verifiedWithinSeconds: 86_400, addRules: async () => [] },
})
