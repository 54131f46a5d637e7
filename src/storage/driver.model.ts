import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isGridError } from '../kernel/errors.ts'
import type { Entry, StorageDriver, StoragePath } from './driver.ts'
import { memoryDriver } from './memory.ts'

interface Step {
  (driver: StorageDriver): Promise<unknown>
  /** What fast-check shows of a counterexample. */
  toString(): string
}

const step = (words: string, work: (driver: StorageDriver) => Promise<unknown>): Step =>
  Object.assign(work, { toString: () => words })

async function* body(content: string, breaks: boolean): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content)
  yield bytes.subarray(0, 3)
  if (breaks) throw new Error('the sender is gone')
  yield bytes.subarray(3)
}

async function content(driver: StorageDriver, at: StoragePath): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of await driver.read(at)) parts.push(part)
  return Buffer.concat(parts).toString()
}

const facts = (entry: Entry | undefined) =>
  entry && { name: entry.name, directory: entry.directory, size: entry.size }

// Few names, so that sequences meet the same files and directories again and again.
const plainPath = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
const odd = fc.constantFrom<string[]>([], ['.trash'], ['.kumi'], ['..'])

/** Anything a caller may do; `local` adds what only one who holds the driver itself can try. */
function anyStep(local: boolean): fc.Arbitrary<Step> {
  const path = local ? fc.oneof({ weight: 9, arbitrary: plainPath }, odd) : plainPath
  const flag = fc.boolean()
  const seldom = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 9 })
  const write = fc
    .record({
      at: path,
      what: fc.string({ maxLength: 12 }),
      overwrite: flag,
      expected: seldom(fc.constant({ adler32: '00000001' })),
      // A body that ends early may never reach a remote storage, which then lacks the parents.
      size: local ? seldom(fc.nat(12)) : fc.constant(undefined),
      breaks: local ? seldom(fc.constant(true)) : fc.constant(undefined),
    })
    .map((all) => {
      const { at, what, breaks = false, ...options } = all
      return step(`write ${JSON.stringify(all)}`, (d) => d.write(at, body(what, breaks), options))
    })
  const move = fc
    .tuple(path, path, flag)
    .map(([from, to, overwrite]) =>
      step(`move ${JSON.stringify({ from, to, overwrite })}`, (d) => d.move(from, to, { overwrite })),
    )
  const remove = fc
    .tuple(path, flag)
    .map(([at, recursive]) =>
      step(`remove ${JSON.stringify({ at, recursive })}`, (d) => d.remove(at, { recursive })),
    )
  const at = (name: string, work: (driver: StorageDriver, path: StoragePath) => Promise<unknown>) =>
    path.map((p) => step(`${name} ${JSON.stringify(p)}`, (driver) => work(driver, p)))
  return fc.oneof(
    { weight: 4, arbitrary: write },
    { weight: 2, arbitrary: move },
    remove,
    at('makeDirectory', (driver, p) => driver.makeDirectory(p)),
    at('read', content),
    at('digest', (driver, p) => driver.digest(p)),
    at('sum', (driver, p) => driver.sum(p)),
    // The name of the area itself is its keeper's business.
    at('stat', async (driver, p) => ({
      ...facts(await driver.stat(p)),
      ...(p.length === 0 && { name: '' }),
    })),
    at('list', async (driver, p) => (await driver.list(p)).map(facts)),
  )
}

/** What a caller sees of a step: its value, the code of its error, or the failure of the body. */
async function seen(driver: StorageDriver, work: Step): Promise<unknown> {
  try {
    return { value: await work(driver) }
  } catch (error) {
    return isGridError(error) ? { code: error.code } : { message: (error as Error).message }
  }
}

/** Everything below a path: names, and of files their bytes and checksums. */
async function tree(driver: StorageDriver, at: StoragePath = []): Promise<unknown[]> {
  const found: unknown[] = []
  for (const { name, directory } of await driver.list(at)) {
    const below = [...at, name]
    if (directory) found.push([name, await tree(driver, below)])
    else found.push([name, await content(driver, below), await driver.digest(below)])
  }
  return found
}

/** Draws sequences of operations and does each to a fresh storage and to the model: callers must see the same. */
export function behavesAsTheModel(
  name: string,
  fresh: () => Promise<StorageDriver>,
  { runs, local }: { runs: number; local: boolean },
): void {
  const steps = fc.array(anyStep(local), { minLength: 1, maxLength: 40 })
  test(`a ${name} storage behaves as the model does, whatever is done to both`, {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const [model, real] = [memoryDriver(), await fresh()]
        for (const each of list) expect(await seen(real, each), String(each)).toEqual(await seen(model, each))
        expect(await tree(real)).toEqual(await tree(model))
      }),
      { numRuns: runs },
    )
  })
}
