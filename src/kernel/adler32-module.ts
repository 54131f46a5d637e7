/**
 * Adler-32 as a WebAssembly module, assembled here byte by byte: sixteen bytes a step with the vector instructions
 * that every 64-bit machine has. It reads from a memory it imports, so that threads may share the bytes.
 */

/** What the module exports: sums `length` bytes at `address` after those already summed in `previous`. */
export type Adler32At = (address: number, length: number, previous: number) => number

/** The part of the platform's WebAssembly that we use; Node's types do not describe it. */
interface Engine {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Memory: new (limits: {
    initial: number
    maximum: number
    shared: true
  }) => { readonly buffer: SharedArrayBuffer }
  readonly Instance: new (
    module: object,
    imports: { readonly host: { readonly memory: object } },
  ) => { readonly exports: { readonly adler32: Adler32At } }
}
export const { WebAssembly: engine } = globalThis as unknown as { WebAssembly: Engine }

export const PAGE_BYTES = 65_536

const BASE = 65521
/** The longest run for which no sum exceeds 32 bits, as a multiple of the step. */
const RUN = 5552
const STEP = 16

// Numbers in the binary format: seven bits a byte, the rest to follow.
function unsigned(value: number): number[] {
  const low = value & 0x7f
  const rest = value >>> 7
  return rest === 0 ? [low] : [low | 0x80, ...unsigned(rest)]
}
function signed(value: number): number[] {
  const low = value & 0x7f
  const rest = value >> 7
  const last = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)
  return last ? [low] : [low | 0x80, ...signed(rest)]
}
const counted = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
]
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes]
const section = (id: number, content: readonly number[]): number[] => [id, ...sized(content)]
const name = (text: string): number[] => sized([...Buffer.from(text)])

// Instructions; operands come before their operator, as on the stack they are.
const I32 = 0x7f
const V128 = 0x7b
const get = (local: number): number[] => [0x20, ...unsigned(local)]
const set = (local: number): number[] => [0x21, ...unsigned(local)]
const tee = (local: number): number[] => [0x22, ...unsigned(local)]
const constant = (value: number): number[] => [0x41, ...signed(value)]
const add = [0x6a]
const subtract = [0x6b]
const multiply = [0x6c]
const remainder = [0x70]
const and = [0x71]
const or = [0x72]
const shiftLeft = [0x74]
const shiftRight = [0x76]
const less = [0x49]
const isZero = [0x45]
const loadByte = [0x2d, 0, 0]
const block = (...body: number[][]): number[] => [0x02, 0x40, ...body.flat(), 0x0b]
const loop = (...body: number[][]): number[] => [0x03, 0x40, ...body.flat(), 0x0b]
const repeat = [0x0c, 0]
const repeatIf = [0x0d, 0]
const leaveIf = [0x0d, 1]
const vector = (operation: number, ...more: number[]): number[] => [0xfd, ...unsigned(operation), ...more]
const loadVector = vector(0x00, 0, 0)
/** Eight numbers of 16 bits. */
const words = (values: readonly number[]): number[] =>
  vector(0x0c, ...values.flatMap((value) => [value & 0xff, value >>> 8]))
const wordsOfLowBytes = vector(0x89)
const wordsOfHighBytes = vector(0x8a)
const addWords = vector(0x8e)
const addLanes = vector(0xae)
/** Products of words, added in pairs to four numbers of 32 bits. */
const dot = vector(0xba)
const lane = (index: number): number[] => vector(0x1b, index)
const total = (local: number): number[] => [
  ...[0, 1, 2, 3].flatMap((i) => [...get(local), ...lane(i)]),
  ...add,
  ...add,
  ...add,
]

const [ADDRESS, LENGTH, PREVIOUS, A, B, COUNT, END, LOW, HIGH, SUM, WEIGHTED, SUMS] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
] as const
const zero = words([0, 0, 0, 0, 0, 0, 0, 0])
const ones = words([1, 1, 1, 1, 1, 1, 1, 1])

/** Sixteen bytes: SUMS += SUM; SUM += bytes; WEIGHTED += 16·b0 + 15·b1 + … + 1·b15. */
const step = [
  [...get(SUMS), ...get(SUM), ...addLanes, ...set(SUMS)],
  [...get(ADDRESS), ...loadVector, ...tee(LOW), ...wordsOfHighBytes, ...set(HIGH)],
  [...get(LOW), ...wordsOfLowBytes, ...set(LOW)],
  [...get(SUM), ...get(LOW), ...get(HIGH), ...addWords, ...ones, ...dot, ...addLanes, ...set(SUM)],
  [...get(WEIGHTED), ...get(LOW), ...words([16, 15, 14, 13, 12, 11, 10, 9]), ...dot, ...addLanes],
  [...get(HIGH), ...words([8, 7, 6, 5, 4, 3, 2, 1]), ...dot, ...addLanes, ...set(WEIGHTED)],
  [...get(ADDRESS), ...constant(STEP), ...add, ...set(ADDRESS)],
].flat()
const reduce = (local: number): number[] => [...get(local), ...constant(BASE), ...remainder, ...set(local)]

const body = [
  [...get(PREVIOUS), ...constant(0xffff), ...and, ...set(A)],
  [...get(PREVIOUS), ...constant(16), ...shiftRight, ...set(B)],
  block(
    loop(
      // COUNT: the whole steps of this run.
      [...get(LENGTH), ...constant(-STEP), ...and, ...tee(COUNT), ...isZero, ...leaveIf],
      block([...get(COUNT), ...constant(RUN), ...less, ...[0x0d, 0], ...constant(RUN), ...set(COUNT)]),
      [...get(LENGTH), ...get(COUNT), ...subtract, ...set(LENGTH)],
      [...get(ADDRESS), ...get(COUNT), ...add, ...set(END)],
      [...zero, ...set(SUM), ...zero, ...set(WEIGHTED), ...zero, ...set(SUMS)],
      loop(step, [...get(ADDRESS), ...get(END), ...less, ...repeatIf]),
      // Each byte so far counts once in A, and A once in B for every byte that follows.
      [...get(B), ...get(A), ...get(COUNT), ...multiply, ...add],
      [...total(SUMS), ...constant(4), ...shiftLeft, ...add, ...total(WEIGHTED), ...add, ...set(B)],
      [...get(A), ...total(SUM), ...add, ...set(A)],
      [...reduce(A), ...reduce(B), ...repeat],
    ),
  ),
  block(
    loop(
      [...get(LENGTH), ...isZero, ...leaveIf],
      [...get(A), ...get(ADDRESS), ...loadByte, ...add, ...tee(A), ...get(B), ...add, ...set(B)],
      [...get(ADDRESS), ...constant(1), ...add, ...set(ADDRESS)],
      [...get(LENGTH), ...constant(1), ...subtract, ...set(LENGTH), ...repeat],
    ),
  ),
  [...reduce(A), ...reduce(B)],
  [...get(B), ...constant(16), ...shiftLeft, ...get(A), ...or],
].flat()

const locals = counted([
  [4, I32],
  [5, V128],
])
const MOST_PAGES = 65_536
const SHARED = 0x03

const binary = [
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, counted([[0x60, ...counted([[I32], [I32], [I32]]), ...counted([[I32]])]])),
  ...section(
    2,
    counted([[...name('host'), ...name('memory'), 2, SHARED, ...unsigned(1), ...unsigned(MOST_PAGES)]]),
  ),
  ...section(3, counted([[0]])),
  ...section(7, counted([[...name('adler32'), 0, 0]])),
  ...section(10, counted([sized([...locals, ...body, 0x0b])])),
]

/** Undefined where the engine or the machine has no vector instructions. */
export const adler32Module: object | undefined = (() => {
  try {
    return new engine.Module(Uint8Array.from(binary))
  } catch {
    return undefined
  }
})()
