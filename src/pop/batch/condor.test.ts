// Needs condor_schedd.
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CondorLab, startCondorLab } from '../../../test/harness/condor-lab.ts'
import { pidWith, WAITING_PROGRAM } from '../../../test/harness/waiting-pilot.ts'
import { isGridError } from '../../kernel/errors.ts'
import { batchContract } from './batch.contract.ts'
import type { Pool } from './cluster.ts'
import { type CondorBatch, condorBatch } from './condor.ts'
import { condorKind } from './condor-kind.ts'
import { ownKey } from './ssh.ts'

let lab: CondorLab
let gateway: string
const opened: { close(): Promise<void> }[] = []
const mark = () => join(lab.directory, 'begun')
const offer = { cores: 1, memoryMb: 256, diskMb: 100, seconds: 600 }
const SOON = { timeout: 30_000, interval: 200 }

beforeAll(async () => {
  lab = await startCondorLab()
  gateway = join(lab.directory, 'gateway')
  mkdirSync(gateway, { mode: 0o700 })
  lab.admit(await ownKey(join(gateway, 'key'), 'gateway'))
  writeFileSync(join(gateway, 'pilot.mjs'), WAITING_PROGRAM)
  // The pilots belong to another account.
  writeFileSync(mark(), '')
  chmodSync(mark(), 0o666)
})
afterAll(async () => {
  await Promise.all(opened.map((batch) => batch.close()))
  await lab.stop()
})

const again = (more: Partial<Pool> = {}): CondorBatch => {
  const batch = condorBatch({
    ...{ cluster: { ...lab.pool, ...more }, space: 'contract', identity: join(gateway, 'key') },
    ...{ directory: join(gateway, JSON.stringify(more).length.toString()) },
    program: join(gateway, 'pilot.mjs'),
  })
  opened.push(batch)
  return batch
}
const pilot = (stamp: string, behaviour: { code: number } | 'forever') => ({
  ...{ ...offer, stamp, mark: mark(), token: 'secret' },
  ...(behaviour === 'forever' ? {} : behaviour),
})
const order = async (stamp: string) => pilot(stamp, 'forever')
const space = () => join(lab.directory, 'home/.kumihimo/contract')
const begun = () => readFileSync(mark(), 'utf8').split('\n').filter(Boolean)
const jobsAtCondor = async () =>
  (await lab.condor('condor_q', '-allusers', '-af', 'KumiStamp')).split('\n').filter(Boolean).sort()
const one = async (batch: CondorBatch, stamp: string) =>
  (await batch.list()).find((found) => found.stamp === stamp)
const running = async (batch: CondorBatch, stamp: string) => {
  await batch.submit([stamp], order)
  await expect.poll(async () => (await one(batch, stamp))?.state, SOON).toBe('Running')
}

batchContract('htcondor', () => ({
  ...{ mark: mark(), again, pilot },
  async kill(stamp) {
    await expect.poll(() => pidWith(stamp), SOON).toBeDefined()
    process.kill(pidWith(stamp)!, 'SIGKILL')
  },
}))

describe('pilots at an HTCondor pool', () => {
  test('are one cluster of jobs for one order, and each begins once although the answer was lost', async () => {
    writeFileSync(mark(), '')
    const stamps = ['first', 'second', 'third']
    await again().submit(stamps, order)
    const [batch] = readdirSync(join(space(), 'batches'))
    expect(await jobsAtCondor()).toEqual(stamps)
    // As if the login host had died after it asked HTCondor, before it wrote down the answer.
    rmSync(join(space(), 'batches', batch!, 'job'))
    await again().submit(stamps, order)
    expect(await jobsAtCondor()).toEqual(stamps)
    await expect.poll(() => begun().sort(), SOON).toEqual(stamps)
    const references = (await again().list()).map(({ reference }) => reference)
    expect(new Set(references.map((reference) => reference?.split('.')[0])).size).toBe(1)
    await again().cancel(stamps, 5000)
    await again().forget(stamps)
    expect(readdirSync(join(space(), 'batches'))).toEqual([])
    expect(await jobsAtCondor()).toEqual([])
  })

  test('that are held are over, with the reason, and leave the queue when they are forgotten', async () => {
    const batch = again()
    await running(batch, 'held')
    await lab.condor('condor_hold', '-reason', 'uses too much', '-constraint', 'KumiStamp == "held"')
    await expect
      .poll(async () => one(batch, 'held'), SOON)
      .toMatchObject({
        state: 'Failed',
        reason: expect.stringMatching(/^HTCondor holds it: uses too much \(by user/),
      })
    await batch.forget(['held'])
    expect(await batch.list()).toEqual([])
    expect(await jobsAtCondor()).toEqual([])
  })

  test('that lose their slot hand back what they have and begin nowhere else', async () => {
    writeFileSync(mark(), '')
    const batch = again()
    await running(batch, 'gentle')
    await running(batch, 'hard')
    await lab.condor('condor_vacate_job', '-constraint', 'KumiStamp == "gentle"')
    await expect.poll(async () => (await one(batch, 'gentle'))?.state, SOON).toBe('Done')
    await lab.condor('condor_vacate_job', '-fast', '-constraint', 'KumiStamp == "hard"')
    await expect.poll(async () => (await one(batch, 'hard'))?.state, SOON).toBe('Failed')
    await expect.poll(jobsAtCondor, SOON).toEqual([])
    expect(begun().sort()).toEqual(['gentle', 'hard'])
    expect((await one(batch, 'hard'))?.reason).toMatch(
      /^HTCondor (removed it: .*PeriodicRemove|took its slot)/,
    )
    await batch.forget(['gentle', 'hard'])
  })

  test('that somebody removes before they begin are told of with who it was', async () => {
    const batch = again()
    // No slot is so large: it waits.
    const large = async (stamp: string) => ({ ...(await order(stamp)), cores: 64 })
    await batch.submit(['large'], large)
    expect(await one(batch, 'large')).toMatchObject({ state: 'Waiting' })
    await batch.renew(['large'], async (stamp) => ({ ...(await large(stamp)), token: 'newer' }))
    const file = join(space(), 'pilots/large/pilot.json')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ token: 'newer', directory: '@scratch@' })
    expect(modesBelow(join(lab.directory, 'home/.kumihimo')).filter((mode) => (mode & 0o77) !== 0)).toEqual(
      [],
    )
    await lab.condor('condor_rm', '-constraint', 'KumiStamp == "large"')
    await expect
      .poll(async () => one(batch, 'large'), SOON)
      .toMatchObject({ state: 'Failed', reason: expect.stringMatching(/removed it: .*by user/) })
    await batch.forget(['large'])
  })

  test('say what is wrong: no login, no pool, too many jobs, words that HTCondor does not take', async () => {
    await expect(again({ user: 'stranger' }).list()).rejects.toMatchObject({ code: 'login_refused' })
    await expect(again({ port: 1 }).list()).rejects.toMatchObject({ code: 'cluster_away', kind: 'transient' })
    const many = Array.from({ length: 9 }, (_, index) => `many${index}`)
    await expect(again().submit(many, order)).rejects.toMatchObject({
      ...{ code: 'submit_refused', message: expect.stringMatching(/MAX_JOBS_PER_OWNER/) },
    })
    expect(await again().list()).toEqual([])
    expect(await jobsAtCondor()).toEqual([])
    await expect(again().tryout({ ...offer, cores: 2 })).resolves.toMatch(/1 job/)
    expect(() => condorKind.read({ ...lab.pool, attributes: 'A="x"' })).toThrow(/attributes/)
    expect(() => condorKind.read({ ...lab.pool, account: 'a b' })).toThrow(/account/)
  })

  test('carry what the pool wants of jobs, and a place is tested step by step up to the submission', async () => {
    const pool = { ...lab.pool, account: 'belle.prod', attributes: 'MaxRuntime=3600,Project=belle2' }
    const batch = again(pool)
    await batch.submit(['wanted'], order)
    const words = ['-allusers', '-af', 'MaxRuntime', 'Project', 'AcctGroup', 'RequestDisk', 'RequestMemory']
    expect(await lab.condor('condor_q', ...words)).toBe('3600 belle2 belle.prod 102400 256\n')
    await batch.cancel(['wanted'], 0)
    await batch.forget(['wanted'])

    const steps: string[] = []
    const kind = condorKind.open(condorKind.read(pool), {
      ...{ gateway: 'kek', name: 'lab', shared: gateway, directory: join(gateway, 'lab') },
      ...{ program: join(gateway, 'pilot.mjs'), log: undefined as never },
      ...{ authorities: async () => [], token: async () => Promise.reject(new Error('no token is needed')) },
    })
    opened.push(kind)
    await kind.test(offer, async (step, work) => {
      try {
        const [value, message] = await work()
        steps.push(`${step}: ${message}`)
        return value
      } catch (error) {
        if (isGridError(error)) steps.push(`${step} failed: ${error.message}`)
        return undefined
      }
    })
    expect(steps).toEqual([
      ...[expect.stringMatching(/^key: ssh-ed25519 /), expect.stringMatching(/^ssh: /)],
      ...['pool: 1 of 1 slots share the file system lab', expect.stringMatching(/^submit: 1 job/)],
    ])
  })

  test('are neither lost nor doubled while the queue of HTCondor is away', async () => {
    writeFileSync(mark(), '')
    const batch = again()
    await running(batch, 'steady')
    await expect.poll(begun, SOON).toEqual(['steady'])
    lab.killSchedd()
    await expect(batch.list()).rejects.toMatchObject({ code: 'cluster_away', kind: 'transient' })
    await expect(batch.submit(['steady', 'next'], order)).rejects.toMatchObject({ kind: 'transient' })
    const submitted = () =>
      batch.submit(['steady', 'next'], order).then(
        () => true,
        () => false,
      )
    await expect.poll(submitted, SOON).toBe(true)
    await expect.poll(begun, SOON).toEqual(['steady', 'next'])
    await expect.poll(async () => (await one(batch, 'steady'))?.state, SOON).toBe('Running')
    await batch.cancel(['steady', 'next'], 5000)
    await batch.forget(['steady', 'next'])
    expect(await batch.list()).toEqual([])
  })
})

function modesBelow(directory: string): number[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return [statSync(path).mode, ...(entry.isDirectory() ? modesBelow(path) : [])]
  })
}
