import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Clock, systemClock } from '../../kernel/ports.ts'
import type { ArcCredential } from './arc-credential.ts'
import { descriptionsOf, FILES, pilotScript } from './arc-job.ts'
import type { ArcPlace } from './arc-place.ts'
import { type ArcRecord, arcRecords } from './arc-records.ts'
import { type ArcRest, arcRest } from './arc-rest.ts'
import { isEnding, isWithin, stateOf } from './arc-states.ts'
import type { BatchPilot, BatchSystem, PilotFile } from './batch-system.ts'
import { type Bundle, bundleOf } from './bundle.ts'
import { badCluster, clusterAway, submitRefused } from './errors.ts'

export interface ArcOptions {
  readonly place: ArcPlace
  readonly credential: ArcCredential
  /** PEM of the authorities that the certificate of the computing element may come from. */
  readonly authorities: () => Promise<readonly string[]>
  /** Of this gateway's pilots there: begins the names of their jobs. Letters, digits, "_" and "-". */
  readonly space: string
  /** Of the gateway: what it knows of the place. */
  readonly directory: string
  /** The compiled pilot program. */
  readonly program: string
  readonly clock?: Clock
}

export interface ArcBatch extends BatchSystem {
  readonly rest: ArcRest
  /** Forgets the connection. */
  close(): void
}

const STAMP = /^[A-Za-z0-9_-]{1,32}$/
const JOB = /^[A-Za-z0-9]{8,128}$/
const DESCRIBED_AT_ONCE = 100
const LOOKED_AT_ONCE = 20
const CONFIG_BYTES = 32_768
const LOOK_MS = 1_000
/** ARC looks after its jobs at its own pace. */
const END_MOST_MS = 180_000
/** A job that nobody ever heard of is none. */
const UNHEARD_MS = 3_600_000
const DELEGATION_MS = 2 * 3_600_000
const DRAIN_SECONDS = 20

/**
 * Pilots as jobs of an ARC computing element, spoken to by its REST interface. A job waits for its files, and gets them
 * only after its name was written down here: whatever answer is lost, and however often a job is asked for, only the
 * one that is known ever begins. The others are removed.
 */
export function arcBatch(options: ArcOptions): ArcBatch {
  const { place, credential, authorities, space, directory, clock = systemClock } = options
  const rest = arcRest({ url: place.url, authorities, credential })
  const records = arcRecords(join(directory, 'pilots'))
  /** What became of those that are over: it does not change any more. */
  const reasons = new Map<string, string>()
  let packed: Promise<{ bundle: Bundle; file: string }> | undefined
  /** Jobs of others who come with the same credentials. */
  const foreign = new Set<string>()
  let [making, made] = [0, 0]
  let delegation: { id: string; at: number } | undefined

  const now = () => clock.now().getTime()
  const nameOf = (stamp: string) => `kumi-${space}-${stamp}`

  const ready = (): Promise<{ bundle: Bundle; file: string }> => {
    packed ??= pack().catch((error) => {
      packed = undefined
      throw error
    })
    return packed
  }
  async function pack(): Promise<{ bundle: Bundle; file: string }> {
    const bundle = bundleOf(options.program, { node: place.node === '' })
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, `${bundle.name}.tgz`)
    if (!existsSync(file)) {
      await pipeline(bundle.archive(), createWriteStream(`${file}.new`, { mode: 0o600 }))
      renameSync(`${file}.new`, file)
    }
    return { bundle, file }
  }

  /** A proxy of the gateway's certificate for what the computing element does for its jobs. */
  async function delegated(): Promise<string | undefined> {
    if (delegation && now() - delegation.at < DELEGATION_MS) return delegation.id
    if (place.credential === 'token') return undefined
    const { id, request } = await rest.delegate(delegation?.id)
    const chain = credential.sign(request, clock.now())
    if (chain === undefined) return undefined
    await rest.delegated(id, chain)
    delegation = { id, at: now() }
    return id
  }

  /** What became of jobs: as A-REX sees them, and of those that are in the batch system what that says. */
  async function statesOf(known: readonly ArcRecord[]): Promise<Map<string, string>> {
    const ids = idsOf(known)
    const live = await rest.jobs()
    const unclear = ids.filter((id) => !live.has(id) || live.get(id) === 'RUNNING')
    for (const { id, state } of unclear.length > 0 ? await rest.ask('status', unclear) : []) {
      if (!id || !state) continue
      // What is published is old: of states before and after the batch system A-REX itself knows more.
      if (!live.has(id) || isWithin(state)) live.set(id, state)
    }
    return live
  }

  async function list(): Promise<BatchPilot[]> {
    const begun = made
    const known = records.all()
    const states = await statesOf(known)
    if (making === 0 && made === begun) await tidy(states, known)
    return Promise.all(known.map((record) => shown(record, states.get(record.id ?? ''))))
  }

  async function shown(record: ArcRecord, arcState = 'None'): Promise<BatchPilot> {
    const { stamp, id, refused, at } = record
    const reference = id === null ? null : rest.addressOf(id)
    const is = (state: BatchPilot['state'], reason = ''): BatchPilot => ({ stamp, state, reason, reference })
    if (refused) return is('Failed', refused)
    if (id === null)
      return now() - at > UNHEARD_MS
        ? is('Failed', 'ARC was asked, and no answer came.')
        : is('Waiting', 'ARC was asked, its answer was lost')
    const state = stateOf(arcState)
    if (state === 'Failed') return is(state, await reasonOf(id, arcState))
    return is(state, state === 'Waiting' ? `ARC says ${arcState}` : '')
  }

  async function reasonOf(id: string, state: string): Promise<string> {
    const before = reasons.get(id)
    if (before !== undefined) return before
    if (state === 'None') return 'ARC does not know it any more.'
    const [failed, out] = await Promise.all([rest.said(id, 'diagnose/failed'), rest.said(id, 'session/out')])
    const reason = `ARC says ${state}. ${out.slice(-300)} ${failed.slice(0, 300)}`
      .replaceAll(/\s+/g, ' ')
      .trim()
    if (!isEnding(state)) reasons.set(id, reason)
    return reason
  }

  /**
   * Removes jobs of this place that are not known here: an answer was lost, and others were made since. They wait for
   * files that nobody sends.
   */
  async function tidy(live: ReadonlyMap<string, string>, known: readonly ArcRecord[]): Promise<void> {
    const ours = new Set(idsOf(known))
    const strangers = [...live].flatMap(([id, state]) =>
      JOB.test(id) && stateOf(state) === 'Waiting' && !ours.has(id) && !foreign.has(id) ? [id] : [],
    )
    const left: string[] = []
    for (const id of strangers.slice(0, LOOKED_AT_ONCE)) {
      const text = await rest.said(id, 'diagnose/description')
      if (text.includes(`"${nameOf('')}`)) left.push(id)
      else if (text !== '') foreign.add(id)
    }
    if (left.length === 0 || making > 0) return
    await rest.ask('kill', left)
    await rest.ask('clean', left)
  }

  async function make(stamps: readonly string[], offer: PilotFile): Promise<void> {
    const fresh: ArcRecord[] = stamps.map((stamp) => ({
      stamp,
      id: null,
      sent: false,
      refused: '',
      at: now(),
    }))
    const delegation = await delegated()
    const text = descriptionsOf(stamps.map(nameOf), { place, offer, delegation })
    for (const record of fresh) records.write(record)
    making++
    const answers = await rest.submit(text).finally(() => {
      making--
      made++
    })
    fresh.forEach((record, index) => {
      const { id, reason } = answers[index] ?? {}
      const usable = id !== undefined && JOB.test(id)
      records.write(
        usable
          ? { ...record, id }
          : { ...record, refused: `ARC refuses it: ${reason ?? 'it does not say why'}` },
      )
    })
    const refused = fresh.map(({ stamp }) => records.of(stamp)!).filter((record) => record.refused !== '')
    if (refused.length < fresh.length) return
    for (const { stamp } of refused) records.remove(stamp)
    throw submitRefused(`${new URL(place.url).host}: ${refused[0]!.refused}`)
  }

  const fileOf = (text: string | Buffer) => {
    const content = Buffer.from(text)
    return { bytes: content.length, stream: Readable.from([content]) }
  }

  async function sendConfig(id: string, config: PilotFile): Promise<void> {
    const ca = typeof config.ca === 'string' ? config.ca : undefined
    const content = {
      ...{ ...config, directory: '@scratch@', drainSeconds: DRAIN_SECONDS },
      ...(ca && { ca: `@job@/${FILES.authority}` }),
    }
    // A file that is written again keeps what was behind its new end.
    const text = JSON.stringify(content)
    await rest.put(
      id,
      FILES.config,
      fileOf(text.padEnd(Math.ceil(text.length / CONFIG_BYTES) * CONFIG_BYTES)),
    )
  }

  async function send({ stamp, id }: ArcRecord & { id: string }, config: PilotFile): Promise<void> {
    const { bundle, file } = await ready()
    const { program } = bundle
    const node = bundle.node ?? place.node
    await rest.put(id, FILES.script, fileOf(pilotScript({ stamp, program, node })))
    await rest.put(
      id,
      FILES.authority,
      fileOf(typeof config.ca === 'string' ? readFileSync(config.ca) : '\n'),
    )
    await rest.put(id, FILES.bundle, { bytes: statSync(file).size, stream: createReadStream(file) })
    await sendConfig(id, config)
  }

  const named = (stamps: readonly string[]): ArcRecord[] =>
    stamps.flatMap((stamp) => {
      const record = STAMP.test(stamp) ? records.of(stamp) : undefined
      return record ? [record] : []
    })
  const idsOf = (known: readonly ArcRecord[]) => known.flatMap(({ id }) => (id === null ? [] : [id]))

  return {
    rest,
    async submit(stamps, prepare) {
      for (const stamp of stamps)
        if (!STAMP.test(stamp)) throw badCluster(`"${stamp}" is no stamp of a pilot.`)
      const files = new Map<string, PilotFile>()
      const configOf = async (stamp: string) => {
        const file = files.get(stamp) ?? (await prepare(stamp))
        files.set(stamp, file)
        return file
      }
      const wanted = stamps.filter((stamp) => (records.of(stamp)?.id ?? null) === null)
      const missing = wanted.filter((stamp) => !records.of(stamp)?.refused)
      for (let next = 0; next < missing.length; next += DESCRIBED_AT_ONCE) {
        const some = missing.slice(next, next + DESCRIBED_AT_ONCE)
        await make(some, await configOf(some[0]!))
      }
      for (const record of named(stamps)) {
        const { stamp, id, sent } = record
        if (id === null || sent) continue
        await send({ ...record, id }, await configOf(stamp))
        records.write({ ...record, sent: true })
      }
    },
    list,
    async renew(stamps, prepare) {
      for (const { stamp, id, sent } of named(stamps))
        if (id !== null && sent) await sendConfig(id, await prepare(stamp))
    },
    async cancel(stamps, graceMs) {
      const known = named(stamps).filter(({ id }) => id !== null)
      const alive = async () => {
        const states = await statesOf(known)
        return known.filter(({ id }) => {
          const state = states.get(id!)
          return isEnding(state) || stateOf(state) === 'Waiting' || stateOf(state) === 'Running'
        })
      }
      let left = await alive()
      if (left.length > 0) await rest.ask('kill', idsOf(left))
      const last = now() + graceMs + END_MOST_MS
      while (left.length > 0) {
        if (now() > last) throw clusterAway(`ARC has not ended ${idsOf(left).join(', ')} yet.`)
        await clock.sleep(LOOK_MS)
        left = await alive()
      }
    },
    async forget(stamps) {
      const known = named(stamps)
      const states = await statesOf(known)
      const over = known.filter(({ id, refused }) =>
        id === null ? refused !== '' : ['Done', 'Failed'].includes(stateOf(states.get(id))),
      )
      const ids = idsOf(over)
      if (ids.length > 0) await rest.ask('clean', ids)
      for (const { stamp, id } of over) {
        records.remove(stamp)
        if (id !== null) reasons.delete(id)
      }
    },
    close: () => rest.close(),
  }
}
