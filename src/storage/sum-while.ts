import { adler32Module } from '../kernel/adler32-module.ts'
import { type Digests, digester } from './digests.ts'
import { createLongSums, type LongSum, type LongSums, PIECE_BYTES } from './long-sums.ts'

/** Takes a part of a body that begins at `position`; what it was given may change as soon as it resolves. */
export type Use = (bytes: Uint8Array, position: number) => Promise<unknown>

/** Pieces of one body on their way at once: one is summed and used while the next is. */
const AT_ONCE = 2

let threads: LongSums | undefined
/** The threads of this process; undefined where the machine lacks what they need. */
function longSums(): LongSums | undefined {
  if (adler32Module) threads ??= createLongSums()
  return threads
}

interface Options {
  readonly most?: number | undefined
  readonly sums?: LongSums | null | undefined
}

/**
 * Sums a body while `use` takes it, in parts of at most PIECE_BYTES: short bodies here, longer ones on another thread,
 * several parts at once; `sums: null` keeps all of it here. Stops reading once more than `most` bytes came. Throws what
 * the body or `use` throws, after the last `use` has ended.
 */
export const sumWhile = (
  body: AsyncIterable<Uint8Array>,
  use: Use,
  { most, sums = longSums() }: Options = {},
): Promise<Digests & { readonly size: number }> => passAll(body, use, { most, sums, begin: digester })

/** The same without summing. */
export const useAll = (
  body: AsyncIterable<Uint8Array>,
  use: Use,
  { most }: Pick<Options, 'most'> = {},
): Promise<{ readonly size: number }> => passAll(body, use, { most, sums: null, begin: () => NOTHING })
const NOTHING = { update: () => undefined, done: () => ({}) }

async function passAll<Sums extends object>(
  body: AsyncIterable<Uint8Array>,
  use: Use,
  {
    most = Number.POSITIVE_INFINITY,
    sums,
    begin,
  }: Options & { readonly begin: () => { update(chunk: Uint8Array): void; done(): Sums } },
): Promise<(Sums | Digests) & { readonly size: number }> {
  const running: Promise<void>[] = []
  let long: LongSum | undefined
  let short: ReturnType<typeof begin> | undefined
  let batch: Uint8Array[] = []
  let [held, position] = [0, 0]

  async function pass(more: boolean): Promise<void> {
    const [pieces, at] = [batch, position]
    position += held
    batch = []
    held = 0
    if (running.length >= AT_ONCE) await running.shift()
    if (sums && (long || more)) {
      long ??= sums.begin()
      const { finished } = await long.pass(pieces, async (whole) => void (await use(whole, at)))
      running.push(finished)
    } else {
      short ??= begin()
      for (const piece of pieces) short.update(piece)
      running.push(use(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces), at).then(() => undefined))
    }
    // Waited for later; until then its failure is nobody's.
    running.at(-1)!.catch(() => undefined)
  }

  try {
    for await (const chunk of body) {
      for (let from = 0; from < chunk.length; ) {
        const part =
          from === 0 && held + chunk.length <= PIECE_BYTES
            ? chunk
            : chunk.subarray(from, from + PIECE_BYTES - held)
        batch.push(part)
        held += part.length
        from += part.length
        if (held === PIECE_BYTES) await pass(true)
      }
      if (position + held > most) break
    }
    if (held > 0) await pass(false)
    await Promise.all(running)
  } catch (error) {
    await Promise.allSettled(running)
    await long?.end().catch(() => undefined)
    throw error
  }
  const digests = long ? await long.end() : (short ?? begin()).done()
  return { ...digests, size: position }
}
