import { type Static, Type } from 'typebox'
import { type Did, getScope, scopeDirectory } from '../../catalog/index.ts'
import { denied, type Principal } from '../../identity/index.ts'
import {
  didOf,
  inputFiles,
  type JobItem,
  type NewJobs,
  normalDemand,
  type Submitter,
  splitInputs,
} from '../../workload/index.ts'
import type { JobDoorDeps } from './job-deps.ts'

const text = Type.String({ maxLength: 4096 })
const names = Type.Array(Type.String({ maxLength: 64 }), { maxItems: 100 })
const DidText = Type.String({ pattern: '^[^:/]{1,25}:.{1,250}$' })

export const JobRequest = Type.Object(
  {
    name: Type.Optional(Type.String({ maxLength: 255 })),
    jobGroup: Type.Optional(Type.String({ maxLength: 32 })),
    type: Type.Optional(Type.String({ maxLength: 32 })),
    /** On whose share they run; one of the caller's groups. */
    group: Type.Optional(Type.String({ maxLength: 255 })),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 10 })),
    executable: text,
    /** A release such as koto.example.org@release-08: the tree that it is now. */
    software: Type.Optional(Type.String({ maxLength: 200 })),
    arguments: Type.Optional(Type.Array(text, { maxItems: 1000 })),
    environment: Type.Optional(Type.Record(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' }), text)),
    files: Type.Optional(
      Type.Array(
        Type.Object({
          name: Type.String({ maxLength: 255 }),
          executable: Type.Boolean(),
          content: Type.String({ contentEncoding: 'base64' }),
        }),
        { maxItems: 100 },
      ),
    ),
    /** Archives that were sent before, by their names at the DiracX door. */
    sandboxes: Type.Optional(Type.Array(Type.String({ maxLength: 256 }), { maxItems: 100 })),
    /** Small files that come back as one archive, also when the job fails. */
    sendBack: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 100 })),
    /** Files and datasets; with `perJob` they are split, else every job reads all. */
    inputs: Type.Optional(Type.Array(DidText, { maxItems: 10_000 })),
    perJob: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    /** So many jobs, numbered `%n` from 0. */
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    outputs: Type.Optional(
      Type.Array(Type.Object({ pattern: Type.String({ maxLength: 255 }), dataset: DidText }), {
        maxItems: 100,
      }),
    ),
    destination: Type.Optional(Type.String({ maxLength: 1024 })),
    readFromAfar: Type.Optional(Type.Boolean()),
    tries: Type.Optional(Type.Integer({ minimum: 1, maximum: 20 })),
    demand: Type.Optional(
      Type.Object({
        seconds: Type.Optional(Type.Integer({ minimum: 1 })),
        cores: Type.Optional(Type.Integer({ minimum: 1 })),
        memoryMb: Type.Optional(Type.Integer({ minimum: 1 })),
        diskMb: Type.Optional(Type.Integer({ minimum: 1 })),
        platform: Type.Optional(Type.String()),
        tags: Type.Optional(names),
        sites: Type.Optional(names),
        banned: Type.Optional(names),
      }),
    ),
  },
  { additionalProperties: false },
)
export type JobRequest = Static<typeof JobRequest>

/** What a request asks for, with its inputs found and split. */
export async function jobsOfRequest(deps: JobDoorDeps, vo: string, request: JobRequest): Promise<NewJobs> {
  const { executable, demand = {}, outputs = [] } = request
  const name = request.name ?? executable.split('/').at(-1)!
  return {
    name,
    jobGroup: request.jobGroup ?? '',
    jobType: request.type ?? 'User',
    priority: request.priority ?? 1,
    demand: normalDemand(demand),
    spec: {
      ...{ executable, arguments: request.arguments ?? [], environment: request.environment ?? {} },
      ...{ files: request.files ?? [], inputSandboxes: request.sandboxes ?? [] },
      outputSandbox: request.sendBack ?? [],
      ...(request.software && { software: await deps.software.pin(vo, request.software) }),
      ...{ standardOutput: 'std.out', standardError: 'std.err', jdl: null },
      outputs: outputs.map(({ pattern, dataset }) => ({ pattern, dataset: didOf(dataset) })),
      destination: request.destination ?? null,
      readFromAfar: request.readFromAfar ?? false,
      tries: request.tries ?? 1,
    },
    items: await itemsOf(deps, vo, request),
  }
}

async function itemsOf(deps: JobDoorDeps, vo: string, request: JobRequest): Promise<JobItem[]> {
  const { inputs = [], perJob, readFromAfar = false, count = 1 } = request
  let groups: Did[][] = [[]]
  if (inputs.length > 0) {
    const files = await inputFiles(deps.db, { vo, dids: inputs.map(didOf), rses: deps.rses })
    groups = splitInputs(files, { perJob: perJob ?? Math.max(1, files.length), readFromAfar })
  }
  return Array.from({ length: groups.length * count }, (_, n) => ({
    n,
    parameters: {},
    inputs: groups[Math.floor(n / count)]!,
  }))
}

/** Who submits, on the share of one of their own groups. Throws denied. */
export function submitterOf(principal: Principal, wanted?: string): Submitter {
  const { vo, accountId, account, groups } = principal
  if (accountId === null || account === null) throw denied('Jobs belong to an account; log in with one.')
  if (wanted !== undefined && !groups.includes(wanted))
    throw denied(`You are not a member of the group ${wanted}.`)
  const group = wanted ?? (groups.includes(`/${vo}`) ? `/${vo}` : (groups[0] ?? `/${vo}`))
  return { vo, accountId, account, group }
}

/** Jobs write and read in the name of their owner: only what the owner may. Throws denied. */
export async function checkData(
  { db, identity }: JobDoorDeps,
  principal: Principal,
  jobs: readonly NewJobs[],
): Promise<void> {
  const { vo } = principal
  const written = new Set(jobs.flatMap(({ spec }) => spec.outputs.map(({ dataset }) => dataset.scope)))
  for (const name of written) {
    const { accountId: owner } = await getScope(db, { vo, name })
    identity.authorize(principal, 'catalog.did.create', { vo, owner })
  }
  const read = new Set(
    jobs.flatMap(({ items }) => items.flatMap((item) => item.inputs.map((did) => did.scope))),
  )
  if (read.size === 0) return
  const reader = await identity.asAfterLogin(principal.accountId!)
  for (const name of read) {
    const path = `/${scopeDirectory(name)}`
    const { allow, reason } = identity.explainAccess(reader, 'storage.read', { vo, path })
    if (!allow) throw denied(`You may not read data of ${name} (${reason}).`)
  }
}
