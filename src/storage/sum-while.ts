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

/**
 * Sums a body while `use` takes it, in parts of at most PIECE_BYTES: short bodies here, longer ones on another thread,
 * several parts at once; `sums: null` keeps all of it here. Stops reading once more than `most` bytes came. Throws what
 * the body or `use` throws, after the last `use` has ended.
 */
export async function sumWhile(
  body: AsyncIterable<Uint8Array>,
  use: Use,
  {
    most = Number.POSITIVE_INFINITY,
    sums = longSums(),
  }: { most?: number | undefined; sums?: LongSums | null | undefined } = {},
): Promise<Digests & { readonly size: number }> {
  const running: Promise<void>[] = []
  let long: LongSum | undefined
  let short: ReturnType<typeof digester> | undefined
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
      short ??= digester()
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
  const digests = long ? await long.end() : (short ?? digester()).done()
  return { ...digests, size: position }
}

/** The same without summing, one part after the other, which may be a piece longer. */
export async function useAll(
  body: AsyncIterable<Uint8Array>,
  use: Use,
  { most = Number.POSITIVE_INFINITY }: { most?: number | undefined } = {},
): Promise<{ readonly size: number }> {
  let batch: Uint8Array[] = []
  let [held, size] = [0, 0]
  const pass = async () => {
    await use(batch.length === 1 ? batch[0]! : Buffer.concat(batch), size)
    size += held
    batch = []
    held = 0
  }
  for await (const chunk of body) {
    batch.push(chunk)
    held += chunk.length
    if (size + held > most) break
    if (held >= PIECE_BYTES) await pass()
  }
  if (held > 0) await pass()
  return { size }
}
