import { Type } from 'typebox'
import { getScope } from '../../catalog/index.ts'
import { actorOf, denied } from '../../identity/index.ts'
import {
  declareFiles,
  defineFlow,
  listFlows,
  listRawFiles,
  listRuns,
  releaseRun,
  showRun,
} from '../../raw/index.ts'
import type { KumiDoorDeps } from './deps.ts'
import type { Operations } from './operation.ts'
import { fileAnswer, flowAnswer, RawFile, RawFlow, RawRun, runAnswer, State } from './raw-answers.ts'

const Experiment = Type.Integer({ minimum: 0, maximum: 2_000_000_000 })
const RunKey = Type.Object({ experiment: Experiment, run: Experiment })
const FlowName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$' })
const FileName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$' })
const Expression = Type.String({ minLength: 1, maxLength: 1024 })
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 }))
const BODY = 12 << 20

/** Raw data as the detector's computers declare it, and as shifters watch it. */
export function registerRaw(
  door: Operations,
  { db, clock, identity, raw }: Pick<KumiDoorDeps, 'db' | 'clock' | 'identity' | 'raw'>,
): void {
  door.get({
    url: '/kumi/v1/raw/flows',
    action: 'raw.read',
    summary: 'Flows of raw data: where it goes, how far it is, how long each state takes',
    answer: Type.Object({ flows: Type.Array(RawFlow) }),
    handler: async ({ principal }) => ({
      flows: (await listFlows(db, principal.vo, clock.now())).map(flowAnswer),
    }),
  })
  door.put({
    url: '/kumi/v1/raw/flows/:name',
    action: 'raw.admin',
    summary:
      'Say where raw data goes: where it lands, the archive on tape, the centres of second copies by share',
    schema: {
      params: Type.Object({ name: FlowName }),
      body: Type.Object({
        scope: Type.String({ maxLength: 25 }),
        landing: Type.String({ maxLength: 255 }),
        archive: Expression,
        centres: Type.Array(
          Type.Object({ storages: Expression, share: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }),
          { minItems: 1, maxItems: 50 },
        ),
      }),
    },
    answer: Type.Object({ done: Type.Boolean() }),
    handler: async ({ principal, params, body }) => {
      const { vo, accountId, account } = principal
      if (accountId === null || account === null)
        throw denied('A flow belongs to an account; log in with one.')
      const { accountId: owner } = await getScope(db, { vo, name: body.scope })
      identity.authorize(principal, 'catalog.did.create', { vo, owner })
      const flow = { name: params.name, ...body }
      await defineFlow(raw, { vo, now: clock.now(), accountId, account, flow })
      return { done: true }
    },
  })
  door.get({
    url: '/kumi/v1/raw/runs',
    action: 'raw.read',
    summary: 'Runs, newest first; `next` is the `before` of the next page',
    schema: {
      querystring: Type.Object({
        flow: Type.Optional(FlowName),
        before: Type.Optional(Type.Integer({ minimum: 1 })),
        limit,
      }),
    },
    answer: Type.Object({
      runs: Type.Array(RawRun),
      next: Type.Union([Type.Integer(), Type.Null()]),
    }),
    handler: async ({ principal, query }) => {
      const { runs, next } = await listRuns(db, {
        ...{ vo: principal.vo, flow: query.flow ?? null, limit: query.limit ?? 100 },
        before: query.before === undefined ? null : BigInt(query.before),
      })
      return { runs: runs.map(runAnswer), next }
    },
  })
  door.get({
    url: '/kumi/v1/raw/runs/:experiment/:run',
    action: 'raw.read',
    summary: 'A run: how many of its files are how far',
    schema: { params: RunKey },
    answer: RawRun,
    handler: async ({ principal, params }) => runAnswer(await showRun(db, { vo: principal.vo, ...params })),
  })
  door.get({
    url: '/kumi/v1/raw/runs/:experiment/:run/files',
    action: 'raw.read',
    summary: 'Files of a run by name, with their copies and the times of their states',
    schema: {
      params: RunKey,
      querystring: Type.Object({
        state: Type.Optional(State),
        after: Type.Optional(Type.String({ maxLength: 200 })),
        limit,
      }),
    },
    answer: Type.Object({ files: Type.Array(RawFile) }),
    handler: async ({ principal, params, query }) => {
      const { state = null, after = '' } = query
      const page = { state, after, limit: query.limit ?? 100 }
      return { files: (await listRawFiles(db, { vo: principal.vo, ...params }, page)).map(fileAnswer) }
    },
  })
  door.post({
    url: '/kumi/v1/raw/runs/:experiment/:run/files',
    action: 'raw.declare',
    summary:
      'Declare files that the detector has written, and with `total` how many the run has; twice is the same as once',
    bodyLimit: BODY,
    schema: {
      params: RunKey,
      body: Type.Object({
        flow: Type.Optional(FlowName),
        files: Type.Array(
          Type.Object({
            name: FileName,
            stream: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$' }),
            bytes: Type.Integer({ minimum: 1 }),
            adler32: Type.String({ pattern: '^[0-9a-f]{8}$' }),
            md5: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' })),
            events: Type.Integer({ minimum: 0 }),
          }),
          { maxItems: 10_000 },
        ),
        total: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000_000 })),
      }),
    },
    answer: Type.Object({
      added: Type.Integer(),
      scope: Type.String(),
      dataset: Type.String(),
      /** The storage to which the files are to be sent, under their names in the scope. */
      landing: Type.String(),
    }),
    handler: async ({ principal, params, body }) => {
      const { flow = null, total = null } = body
      const files = body.files.map((file) => ({ ...file, bytes: BigInt(file.bytes), md5: file.md5 ?? null }))
      const declaration = { ...params, flow, total, files }
      const asked = { vo: principal.vo, now: clock.now(), declaration }
      const { run, landing, added } = await declareFiles(raw, asked)
      return { added, scope: run.scope, dataset: run.dataset, landing }
    },
  })
  door.post({
    url: '/kumi/v1/raw/runs/:experiment/:run/release',
    action: 'raw.release',
    summary:
      'Ask which files may be deleted from the detector’s disk: only those with a verified copy on tape and another at a second site',
    schema: {
      params: RunKey,
      body: Type.Object({ files: Type.Optional(Type.Array(FileName, { maxItems: 10_000 })) }),
    },
    answer: Type.Object({
      released: Type.Array(Type.String()),
      kept: Type.Array(Type.Object({ name: Type.String(), state: State, why: Type.String() })),
    }),
    handler: async ({ principal, params, body }) => {
      const asked = { vo: principal.vo, ...params, now: clock.now(), by: actorOf(principal) }
      const { released, kept } = await releaseRun(raw, { ...asked, names: body.files ?? null })
      return { released: [...released], kept: [...kept] }
    },
  })
}
