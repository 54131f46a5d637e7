import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Rng, seededRng } from '../../kernel/ports.ts'
import { writeEvents } from '../demo/physics/events.ts'
import { generate } from '../demo/physics/generate.ts'
import { simulate } from '../demo/physics/simulate.ts'

export interface RunOrder {
  readonly experiment: number
  readonly run: number
  readonly seed: number
  readonly files: number
  /** The files together hold at least this many bytes, and at most a few kilobytes more. */
  readonly bytes: number
  readonly directory: string
  /** How many of the files are ROOT files; a fifth unless told. */
  readonly rootFiles?: number
}

/** One file of a run with the metadata it is registered with. */
export interface RunFile {
  readonly path: string
  readonly name: string
  readonly bytes: number
  readonly metadata: {
    readonly experiment: number
    readonly run_number: number
    readonly datatype: 'raw'
    /** What was seen of collisions, as ROOT files, or the wave forms of the electronics, as they are. */
    readonly stream_name: 'physics' | 'waveforms'
    readonly events?: number
  }
}

const SMALLEST = 300
const LARGEST = 27_000_000
const BLOCK = 1 << 20
const HEADER = 32
/** Of a ROOT file, and of one event in it. */
const ROOT = { smallest: 10_000, largest: 1_000_000, empty: 4_300, event: 265, share: 40 }

/** Writes the files of one run: collisions as the detector saw them and wave forms, the same bytes for the same order. */
export async function generateRun(order: RunOrder): Promise<RunFile[]> {
  await mkdir(order.directory, { recursive: true })
  const { experiment, run } = order
  const rng = seededRng(order.seed ^ (experiment << 16) ^ run)
  const label = `e${String(experiment).padStart(4, '0')}.r${String(run).padStart(5, '0')}`
  const about = { experiment, run_number: run, datatype: 'raw' } as const
  const rootFiles = Math.min(order.rootFiles ?? Math.round(order.files / 5), order.files)
  const files: RunFile[] = []
  const store = async (name: string, content: Uint8Array, metadata: RunFile['metadata']) => {
    const path = join(order.directory, name)
    await writeFile(path, content)
    files.push({ path, name, bytes: content.byteLength, metadata })
  }

  // ROOT files first: what they compress to decides how much is left for the wave forms.
  const { smallest, largest } = ROOT
  const rootBytes = logNormalSizes(
    rootFiles,
    Math.max(order.bytes / ROOT.share, rootFiles * smallest),
    rng,
    smallest,
    largest,
  )
  let firstEvent = 1
  for (const [index, size] of rootBytes.entries()) {
    const events = Math.round((size - ROOT.empty) / ROOT.event)
    const seed = Math.floor(rng.next() * 0xffffffff)
    const seen = simulate(generate({ experiment, run, events, seed, firstEvent }), seed)
    firstEvent += events
    await store(`raw.${label}.f${number(index)}.root`, writeEvents('raw', seen), {
      ...about,
      ...{ stream_name: 'physics', events },
    })
  }
  const left = order.bytes - files.reduce((sum, file) => sum + file.bytes, 0)
  const rawBytes = logNormalSizes(order.files - rootFiles, left, rng, SMALLEST, LARGEST)
  for (const [index, size] of rawBytes.entries()) {
    await store(`raw.${label}.f${number(index)}.dat`, rawBlocks(order, index, size), {
      ...about,
      stream_name: 'waveforms',
    })
  }
  return files
}

/**
 * `count` sizes with the spread of real productions (log-normal), between the two limits, summing to `total` as
 * nearly above it as whole bytes allow. The smallest and the largest allowed size both occur when there is room.
 */
export function logNormalSizes(
  count: number,
  total: number,
  rng: Rng,
  smallest: number,
  largest: number,
): number[] {
  if (count <= 0) return []
  const shape = Array.from({ length: count }, () => Math.exp(1.9 * normal(rng)))
  const clamp = (size: number) => Math.min(largest, Math.max(smallest, Math.ceil(size)))
  const room = count > 2 && total > smallest + largest + (count - 2) * smallest
  const fixed = room ? [smallest, largest] : []
  const free = shape.slice(fixed.length)
  const sizes = (scale: number) => [...fixed, ...free.map((weight) => clamp(weight * scale))]
  let low = 0
  let high = largest / Math.min(...shape)
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2
    if (sizes(middle).reduce((sum, size) => sum + size, 0) >= total) high = middle
    else low = middle
  }
  return shuffled(sizes(high), rng)
}

/** Blocks of at most 1 MiB, each with a 32-byte header, filled with what no compressor can shrink. */
function rawBlocks(order: RunOrder, file: number, size: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4))
  new Xorshift(order.seed * 7919 + order.run * 104_729 + order.experiment * 131 + file).fill(words)
  const bytes = Buffer.from(words.buffer, 0, size)
  for (let at = 0, block = 0; at + HEADER <= size; at += BLOCK, block++) {
    bytes.write('KRAW', at, 'latin1')
    bytes.writeUInt32LE(1, at + 4)
    bytes.writeUInt32LE(order.experiment, at + 8)
    bytes.writeUInt32LE(order.run, at + 12)
    bytes.writeUInt32LE(file, at + 16)
    bytes.writeUInt32LE(block, at + 20)
    bytes.writeUInt32LE(Math.min(BLOCK, size - at), at + 24)
    bytes.writeUInt32LE(0, at + 28)
  }
  return bytes
}

/** Marsaglia's 32-bit generator: a gigabyte a second is worth more here than statistical perfection. */
class Xorshift {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
  }

  fill(words: Uint32Array): void {
    let x = this.#state
    for (let i = 0; i < words.length; i++) {
      x ^= x << 13
      x ^= x >>> 17
      x ^= x << 5
      words[i] = x
    }
    this.#state = x
  }
}

function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next())
}

function shuffled(values: number[], rng: Rng): number[] {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(rng.next() * (i + 1))
    const kept = values[i]!
    values[i] = values[j]!
    values[j] = kept
  }
  return values
}

function number(index: number): string {
  return String(index + 1).padStart(5, '0')
}
