import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import {
  addCollections,
  addReplicas,
  addRse,
  attach,
  counterFolder,
  createRseTable,
  createScope,
  type Did,
  datasetReplicas,
  detach,
  findDids,
  getDids,
  readRseUsage,
  setRseAttribute,
} from '../../src/catalog/index.ts'
import {
  type Clock,
  type Database,
  GridError,
  isGridError,
  rows,
  seededRng,
  silentLogger,
  sql,
  systemPorts,
  type Worker,
} from '../../src/kernel/index.ts'
import {
  addRules,
  declareBad,
  deleteRule,
  getRule,
  locksOfRule,
  type PlacementDeps,
  placementWorkers,
  settle,
  updateRule,
} from '../../src/placement/index.ts'
import {
  cancelTransfers,
  createTransferWorkers,
  type Mover,
  requestTransfers,
} from '../../src/transfer/index.ts'
import { request } from './rule-world.ts'

const vo = 'demo'
const STORAGES = [
  ['KEK', 'kek'],
  ['KEK-2', 'kek'],
  ['OSAKA', 'osaka'],
  ['CHICAGO', 'chicago'],
] as const
const EXPRESSIONS = ['*', 'KEK', 'OSAKA|CHICAGO', 'site=kek', '*\\KEK'] as const
export const SIZE = {
  files: 6,
  datasets: 2,
  storages: STORAGES.length,
  expressions: EXPRESSIONS.length,
} as const

export type Deed =
  | {
      do: 'addRule'
      target: number
      copies: number
      expression: number
      grouping: string
      account: number
      hours: number | null
      purge: boolean
    }
  | { do: 'removeRule' | 'suspend' | 'resume'; rule: number }
  | { do: 'attach'; dataset: number; file: number }
  | { do: 'detach'; member: number }
  | { do: 'attachDataset' | 'detachDataset'; dataset: number }
  | { do: 'loseCopy'; copy: number }
  | { do: 'fill' | 'empty'; storage: number }
  | { do: 'pass'; hours: number }

export interface RuleModel {
  /** An empty catalogue but for the files, each at one storage, and collections without content. */
  begin(): Promise<void>
  carryOut(deed: Deed): Promise<void>
  /** Lets placement, transfers and deletion work until nothing is left to do at this time. */
  settle(): Promise<void>
  /** Throws what does not agree; returns the states of the rules there are. */
  check(): Promise<string[]>
}

interface ModelRule {
  readonly id: string
  readonly target: Did
  readonly copies: number
  readonly grouping: string
}

const did = (name: string): Did => ({ scope: 's', name })
const nameOf = { file: (i: number) => `f${i}`, dataset: (i: number) => `d${i}` }
const TABLES = [
  'rule',
  'evaluation_queue',
  'release_queue',
  'deletion',
  'deletion_refused',
  'freed_space',
  'transfer',
]
const CATALOG = ['replica', 'content', 'tree', 'collection', 'file', 'counter_delta', 'collection_replica']

/**
 * The whole of placement, transfer and catalogue over storages made of memory, under a clock that moves only when told,
 * beside a plain model of what was asked: who is in which dataset, and which rules there are.
 */
export async function ruleModel({ db }: Database): Promise<RuleModel> {
  let time = Date.UTC(2026, 0, 1)
  const clock: Clock = { now: () => new Date(time), sleep: async () => undefined }
  const { ids } = systemPorts
  await createScope(db, { vo, now: clock.now(), name: 's', accountId: 1 })
  const storages: { id: number; name: string }[] = []
  for (const [name, site] of STORAGES) {
    storages.push(await addRse(db, { vo, now: clock.now(), name, uuid: randomUUID() }))
    await setRseAttribute(db, { vo, now: clock.now(), rse: name, key: 'site', value: site })
  }
  const rses = createRseTable(db)

  // What lies where, by storage and file; the trash by deletion.
  const bytes = new Set<string>()
  const bin = new Map<string, string>()
  const full = new Set<string>()
  const keyOf = (rse: { name: string }, file: Did): string => `${rse.name} ${file.name}`
  const facts = { bytes: 10n, adler32: '00000001', md5: null }
  const mover: Mover = {
    async copy({ source, destination, onProgress }) {
      const fault = (code: string, party: string) =>
        new GridError({ code, kind: 'transient', message: code, details: { party } })
      if (full.has(destination.rse.name)) throw fault('storage_full', 'destination')
      if (!bytes.has(keyOf(source.rse, source.did))) throw fault('checksum_mismatch', 'source')
      bytes.add(keyOf(destination.rse, destination.did))
      onProgress(facts.bytes)
    },
    stat: async ({ rse, did: file }) => (bytes.has(keyOf(rse, file)) ? facts : undefined),
    close: async () => undefined,
  }
  const deps: PlacementDeps = {
    ...{ db, clock, ids, rses, log: silentLogger, vos: async () => [vo] },
    ...{ owner: 'model', floor: () => 1, verifiedWithinSeconds: 86_400, graceSeconds: 3600 },
    copies: {
      async trash(rse, file, id) {
        if (bytes.delete(keyOf(rse, file))) bin.set(id, keyOf(rse, file))
      },
      async restore(_rse, _file, id) {
        const key = bin.get(id)
        if (key && bin.delete(id)) bytes.add(key)
      },
      purge: async (_rse, id) => void bin.delete(id),
      verify: async (rse, file) => bytes.has(keyOf(rse, file)),
    },
    requestTransfers: (tx, input) => requestTransfers(tx, { ...input, ids }),
    cancelTransfers: (tx, input) => cancelTransfers(tx, input),
  }
  const movers = createTransferWorkers({
    ...{ db, clock, ids, rses, mover, settle, log: silentLogger, rng: seededRng(3), maxActive: 8 },
  })
  const running = new AbortController().signal
  const loops: Worker[] = [...placementWorkers(deps), counterFolder(db)]

  let members = new Map<string, Set<string>>()
  let boxed = new Set<string>()
  let rules: ModelRule[] = []
  const lost = new Set<string>()
  const pick = (n: number): ModelRule | undefined => rules[n % Math.max(1, rules.length)]
  const datasetsBelow = (target: Did): string[] =>
    target.name === 'box' ? [...boxed] : members.has(target.name) ? [target.name] : []

  async function begin(): Promise<void> {
    const now = clock.now()
    for (const table of [...TABLES, ...CATALOG]) await sql`truncate ${sql.table(table)} cascade`.execute(db)
    await sql`delete from rse_usage`.execute(db)
    for (const set of [bytes, full, lost]) set.clear()
    bin.clear()
    rules = []
    boxed = new Set()
    members = new Map(Array.from({ length: SIZE.datasets }, (_, i) => [nameOf.dataset(i), new Set<string>()]))
    const datasets = [...members.keys()].map((name) => ({ ...did(name), kind: 'DATASET' as const }))
    const collections = [...datasets, { ...did('box'), kind: 'CONTAINER' as const }]
    await addCollections(db, { vo, now, accountId: 1, collections })
    for (let i = 0; i < SIZE.files; i++) {
      const at = storages[i % storages.length]!
      const files = [{ ...did(nameOf.file(i)), bytes: facts.bytes, adler32: facts.adler32 }]
      await addReplicas(db, { vo, now, accountId: 1, rseId: at.id, files })
      bytes.add(keyOf(at, did(nameOf.file(i))))
    }
  }

  async function carryOut(deed: Deed): Promise<void> {
    const now = clock.now()
    try {
      switch (deed.do) {
        case 'addRule':
          return await addRule(deed)
        case 'removeRule': {
          const rule = pick(deed.rule)
          if (rule) await deleteRule(db, { vo, now, id: rule.id, purge: null })
          return
        }
        case 'suspend':
        case 'resume': {
          const rule = pick(deed.rule)
          const state = deed.do === 'suspend' ? 'SUSPENDED' : 'STUCK'
          if (rule) await updateRule(db, { vo, now, id: rule.id, changes: { state } })
          return
        }
        case 'attach': {
          const [parent, child] = [nameOf.dataset(deed.dataset), nameOf.file(deed.file)]
          const attachments = [{ ...did(parent), dids: [did(child)] }]
          await attach(db, { vo, now, accountId: 1, attachments })
          return void members.get(parent)!.add(child)
        }
        case 'detach': {
          const all = [...members].flatMap(([parent, files]) =>
            [...files].map((child) => ({ parent, child })),
          )
          const { parent, child } = all[deed.member % Math.max(1, all.length)] ?? {}
          if (!parent || !child) return
          await detach(db, { vo, now, ...did(parent), dids: [did(child)] })
          return void members.get(parent)!.delete(child)
        }
        case 'attachDataset': {
          const child = nameOf.dataset(deed.dataset)
          await attach(db, { vo, now, accountId: 1, attachments: [{ ...did('box'), dids: [did(child)] }] })
          return void boxed.add(child)
        }
        case 'detachDataset': {
          const child = nameOf.dataset(deed.dataset)
          await detach(db, { vo, now, ...did('box'), dids: [did(child)] })
          return void boxed.delete(child)
        }
        case 'loseCopy':
          return await loseCopy(deed.copy)
        case 'fill':
          return void full.add(storages[deed.storage]!.name)
        case 'empty':
          return void full.delete(storages[deed.storage]!.name)
        case 'pass':
          time += deed.hours * 3_600_000
      }
    } catch (error) {
      // What makes no sense at the moment is refused, and then nothing has changed.
      if (!isGridError(error) || error.kind === 'transient' || error.kind === 'fatal') throw error
    }
  }

  async function addRule(deed: Deed & { do: 'addRule' }): Promise<void> {
    const now = clock.now()
    const targets = [
      ...members.keys(),
      'box',
      ...Array.from({ length: SIZE.files }, (_, i) => nameOf.file(i)),
    ]
    const target = did(targets[deed.target]!)
    const grouping = deed.grouping as 'ALL' | 'DATASET' | 'NONE'
    const wanted = request(target.name, {
      ...{ copies: deed.copies, grouping, accountId: deed.account, purgeReplicas: deed.purge },
      rseExpression: EXPRESSIONS[deed.expression]!,
      expiresAt: deed.hours === null ? null : new Date(time + deed.hours * 3_600_000),
    })
    const [id] = await addRules(db, deps, { vo, now, rules: [wanted] })
    rules.push({ id: id!, target, copies: deed.copies, grouping })
  }

  async function loseCopy(nth: number): Promise<void> {
    const there = [...(await available())].sort()
    if (there.length === 0) return
    const [name, rseId] = there[nth % there.length]!.split(' ') as [string, string]
    const [known] = await findDids(db, { vo, dids: [did(name)] })
    const copy = { fileId: known!.id, rseId: Number(rseId) }
    const at = storages.find(({ id }) => id === copy.rseId)!
    bytes.delete(keyOf(at, did(name)))
    const input = { vo, now: clock.now(), replicas: [copy], reason: 'lost', accountId: null }
    if ((await declareBad(db, input)).lost > 0) lost.add(name)
  }

  async function settleAll(): Promise<void> {
    const patience = AbortSignal.timeout(60_000)
    for (let idle = 0; idle < 2; ) {
      patience.throwIfAborted()
      let changed = 0
      for (const loop of loops) changed += (await loop.tick(clock.now(), running)).changed
      await movers[0]!.tick(clock.now(), running)
      for (;;) {
        const busy = await rows(
          db,
          sql`select 1 from transfer where state <> 'queued' or not_before <= ${clock.now()} limit 1`,
        )
        if (busy.length === 0) break
        changed++
        patience.throwIfAborted()
        await delay(2)
      }
      idle = changed === 0 ? idle + 1 : 0
    }
  }

  async function check(): Promise<string[]> {
    const living: ModelRule[] = []
    const states: string[] = []
    for (const rule of rules) {
      const view = await getRule(db, { vo, id: rule.id }).catch(() => undefined)
      if (!view) continue
      living.push(rule)
      states.push(view.state)
      await checkRule(rule, view)
    }
    rules = living
    await checkResidue()
    await checkCopies()
    await checkCounters()
    return states
  }

  /** Placements fit the target, gaps are just what is missing, and the counts and the state follow from them. */
  async function checkRule(rule: ModelRule, view: Awaited<ReturnType<typeof getRule>>): Promise<void> {
    const about = `${rule.target.name} × ${rule.copies} ${rule.grouping} ${view.rseExpression}`
    const names = datasetsBelow(rule.target)
    const isFile = view.target.kind === 'FILE'
    const placed = await rows(
      db,
      sql<{ name: string; rse: number }>`select c.name, p.rse_id as rse from placement p
        join collection c on c.id = p.collection_id where p.rule_id = ${rule.id}`,
    )
    const single = await rows(
      db,
      sql<{ name: string; rse: number }>`select f.name, p.rse_id as rse from file_placement p
        join file f on f.id = p.file_id where p.rule_id = ${rule.id}`,
    )
    const byFile = isFile || rule.grouping === 'NONE'
    const files = isFile ? [rule.target.name] : [...new Set(names.flatMap((name) => [...members.get(name)!]))]
    const counts = (list: readonly { name: string }[]): Record<string, number> => {
      const sums: Record<string, number> = {}
      for (const { name } of list) sums[name] = (sums[name] ?? 0) + 1
      return sums
    }
    const each = (list: readonly string[]) => Object.fromEntries(list.map((name) => [name, rule.copies]))
    expect(counts(placed), about).toEqual(each(byFile ? [] : names))
    expect(counts(single), about).toEqual(each(byFile ? files : []))
    if (rule.grouping === 'ALL')
      expect(new Set(placed.map(({ rse }) => rse)).size, about).toBe(names.length && rule.copies)

    const wanted = new Set([
      ...single.map(({ name, rse }) => `${name} ${rse}`),
      ...placed.flatMap(({ name, rse }) => [...members.get(name)!].map((file) => `${file} ${rse}`)),
    ])
    const there = await available()
    const gaps = await rows(
      db,
      sql<{ name: string; rse: number }>`select f.name, g.rse_id as rse from placement_gap g
        join file f on f.id = g.file_id where g.rule_id = ${rule.id}`,
    )
    const missing = [...wanted].filter((copy) => !there.has(copy))
    expect(new Set(gaps.map(({ name, rse }) => `${name} ${rse}`)), about).toEqual(new Set(missing))

    const locks: string[] = []
    for await (const page of locksOfRule(db, { vo, id: rule.id }))
      for (const { name, rseId } of page) locks.push(`${name} ${rseId}`)
    expect(new Set(locks), about).toEqual(wanted)
    expect(locks.length, about).toBe(wanted.size)
    expect(Number(view.locksReplicating + view.locksStuck), about).toBe(missing.length)
    if (names.length < 2) expect(Number(view.locksOk), about).toBe(wanted.size - missing.length)
    if (view.state !== 'SUSPENDED') expect(view.state === 'OK', about).toBe(missing.length === 0)
  }

  async function available(): Promise<Set<string>> {
    const found = await rows(
      db,
      sql<{
        name: string
        rse: number
      }>`select f.name, x.rse_id as rse from replica x join file f on f.id = x.file_id
        where x.state = 'A'`,
    )
    return new Set(found.map(({ name, rse }) => `${name} ${rse}`))
  }

  /** Nothing waits that could be done, and nothing is left of what is over. */
  async function checkResidue(): Promise<void> {
    const now = clock.now()
    const left = await rows(
      db,
      sql<{ what: string }>`
        select 'evaluation' as what from evaluation_queue where queued_at <= ${now}
        union all select 'release' from release_queue
        union all select 'placement without dataset' from placement p where not exists (select from collection c where c.id = p.collection_id)
        union all select 'transfer without gap' from transfer t
          where not exists (select from placement_gap g where g.file_id = t.file_id and g.rse_id = t.dst_rse_id)
        union all select 'moving gap without transfer' from placement_gap g where g.state = 'moving'
          and not exists (select from transfer t where t.file_id = g.file_id and t.dst_rse_id = g.rse_id)
        union all select 'unfinished copy without transfer' from replica x where x.state = 'C'
          and not exists (select from transfer t where t.file_id = x.file_id and t.dst_rse_id = x.rse_id)
        union all select 'copy going that a rule wants' from replica x where x.state = 'B' and (
          exists (select from file_placement p where p.file_id = x.file_id and p.rse_id = x.rse_id)
          or exists (select from content k join placement p on p.collection_id = k.parent_id
            where k.child_id = x.file_id and p.rse_id = x.rse_id))
        union all select 'copy going without intent' from replica x where x.state = 'B'
          and not exists (select from deletion d where d.file_id = x.file_id and d.rse_id = x.rse_id)`,
    )
    expect(left).toEqual([])
  }

  /** No file is lost but by the loss of its last copy, and where the catalogue promises bytes there are bytes. */
  async function checkCopies(): Promise<void> {
    const there = await available()
    const nameOfRse = new Map(storages.map(({ id, name }) => [id, name]))
    for (const copy of there) {
      const [name, rse] = copy.split(' ')
      expect(bytes.has(`${nameOfRse.get(Number(rse))} ${name}`), copy).toBe(true)
    }
    for (let i = 0; i < SIZE.files; i++) {
      const name = nameOf.file(i)
      if (!lost.has(name))
        expect(
          [...there].some((copy) => copy.startsWith(`${name} `)),
          name,
        ).toBe(true)
    }
  }

  async function checkCounters(): Promise<void> {
    const there = await available()
    const usage = await readRseUsage(db, { now: clock.now() })
    for (const { id, name } of storages) {
      const files = [...there].filter((copy) => copy.endsWith(` ${id}`)).length
      const used = usage.find(({ rseId, source }) => rseId === id && source === 'rucio')
      expect([used?.files, used?.used], name).toEqual([BigInt(files), BigInt(files) * facts.bytes])
    }
    for (const did of await getDids(db, {
      vo,
      dids: [...members.keys()].map((name) => ({ scope: 's', name })),
    })) {
      const inside = members.get(did.name)!
      expect('files' in did && did.files, did.name).toBe(BigInt(inside.size))
      const held = await datasetReplicas(db, { vo, dids: [did] })
      for (const { id, name } of storages) {
        const files = [...inside].filter((file) => there.has(`${file} ${id}`)).length
        const counted = held.find(({ rseId }) => rseId === id)?.availableFiles ?? 0n
        expect(counted, `${did.name} at ${name}`).toBe(BigInt(files))
      }
    }
  }

  return { begin, carryOut, check, settle: settleAll }
}
