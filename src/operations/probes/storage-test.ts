import { adler32, adler32Hex } from '../../kernel/adler32.ts'
import type { WebdavClient } from '../../storage/index.ts'
import type { TestName, TestResult } from './probe.store.ts'

type Doors = Pick<WebdavClient, 'put' | 'get' | 'stat' | 'list' | 'remove' | 'time'>

/** One test takes at most so long, whatever the storage does. */
const MOST_MS = 60_000
/** A clock that is further away spoils leases and tokens. */
const CLOCK_MS = 30_000

/** Runs a step and notes how it went; a step that fails makes those after it pointless. */
async function step(
  results: TestResult[],
  test: TestName,
  work: (signal: AbortSignal) => Promise<Pick<TestResult, 'message' | 'offsetMs'> | undefined>,
): Promise<boolean> {
  const began = performance.now()
  const ms = () => Math.round(performance.now() - began)
  try {
    const found = await work(AbortSignal.timeout(MOST_MS))
    results.push({ test, ok: true, ms: ms(), message: '', ...found })
    return true
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    results.push({ test, ok: false, ms: ms(), message })
    return false
  }
}

/** A small file goes in and comes back, is summed, found in its directory and removed. */
export async function testStorage(
  doors: Doors,
  { url, token, text }: { url: string; token: string; text: string },
): Promise<TestResult[]> {
  const results: TestResult[] = []
  const bytes = Buffer.from(text)
  const sum = adler32Hex(adler32(bytes))
  const body = async function* () {
    yield bytes
  }
  const there = await step(results, 'put', async (signal) => {
    await doors.put(url, token, body(), { size: bytes.length, expected: { adler32: sum }, signal })
  })
  if (!there) return results
  await step(results, 'get', async (signal) => {
    const parts: Uint8Array[] = []
    for await (const part of await doors.get(url, token, { signal })) parts.push(part)
    if (!Buffer.concat(parts).equals(bytes)) throw new Error('The storage gave other bytes than it took.')
  })
  await step(results, 'checksum', async (signal) => {
    const found = await doors.stat(url, token, signal)
    if (!found) throw new Error('The storage does not know the file that it took.')
    if (found.adler32 !== sum)
      throw new Error(`The storage tells adler32 ${found.adler32 ?? 'nothing'}, not ${sum}.`)
  })
  await step(results, 'list', async (signal) => {
    const directory = new URL('.', url).href
    const name = decodeURIComponent(new URL(url).pathname)
    if (!(await doors.list(directory, token, signal)).includes(name))
      throw new Error('The file is not in the list of its directory.')
  })
  await step(results, 'delete', async (signal) => {
    if (!(await doors.remove(url, token, signal))) throw new Error('There was nothing to remove.')
    if (await doors.stat(url, token, signal)) throw new Error('The file is still there.')
  })
  return results
}

/** Whether the door of a site answers, and how far its clock is from ours. */
export async function testDoor(
  doors: Pick<Doors, 'time'>,
  { url, token, now }: { url: string; token: string; now: () => Date },
): Promise<TestResult[]> {
  const results: TestResult[] = []
  let told: { time: Date | undefined; offsetMs: number } | undefined
  await step(results, 'port', async (signal) => {
    const before = now().getTime()
    const time = await doors.time(url, token, signal)
    const after = now().getTime()
    // A time in whole seconds is half a second early on average; what the way may have taken says nothing.
    const offset = time ? Math.round(time.getTime() + 500 - (before + after) / 2) : 0
    told = { time, offsetMs: Math.abs(offset) > 500 + (after - before) / 2 ? offset : 0 }
  })
  if (!told) return results
  const { time, offsetMs } = told
  const ok = Math.abs(offsetMs) <= CLOCK_MS
  const message = ok ? '' : `Its clock is ${Math.round(offsetMs / 1000)} s from ours.`
  // How far a bad clock is away is what one wants to know.
  if (time) results.push({ test: 'clock', ok, ms: 0, message, offsetMs })
  else results.push({ test: 'clock', ok: true, ms: 0, message: 'The door does not tell the time.' })
  return results
}
