// Needs slurmctld.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type SlurmLab, startSlurmLab } from '../../../test/harness/slurm-lab.ts'
import { pidWith, WAITING_PROGRAM } from '../../../test/harness/waiting-pilot.ts'
import { batchContract } from './batch.contract.ts'
import type { Cluster } from './cluster.ts'
import { type SlurmBatch, slurmBatch } from './slurm.ts'
import { controlDirectory, ownKey } from './ssh.ts'

let lab: SlurmLab
let gateway: string
const opened: SlurmBatch[] = []
const mark = () => join(lab.directory, 'begun')
const offer = { cores: 1, memoryMb: 256, seconds: 600 }

beforeAll(async () => {
  lab = await startSlurmLab()
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

const again = (more: Partial<Cluster> = {}): SlurmBatch => {
  const cluster = { ...lab.cluster, ...more }
  const batch = slurmBatch({
    ...{ cluster, space: 'contract', directory: join(gateway, JSON.stringify(more).length.toString()) },
    ...{ identity: join(gateway, 'key'), program: join(gateway, 'pilot.mjs') },
  })
  opened.push(batch)
  return batch
}
const pilot = (stamp: string, behaviour: { code: number } | 'forever') => ({
  ...{ ...offer, stamp, mark: mark(), token: 'secret' },
  ...(behaviour === 'forever' ? {} : behaviour),
})
const space = () => join(lab.directory, 'home/.kumihimo/contract')
const begun = () => readFileSync(mark(), 'utf8').split('\n').filter(Boolean)
const jobsAtSlurm = async () =>
  (await lab.slurm('squeue', '-h', '-r', '-t', 'all', '-o', '%j')).split('\n').filter(Boolean)

batchContract('slurm', () => ({
  ...{ mark: mark(), again, pilot },
  async kill(stamp) {
    await expect.poll(() => pidWith(stamp), { timeout: 10_000 }).toBeDefined()
    process.kill(pidWith(stamp)!, 'SIGKILL')
  },
}))

describe('pilots at a Slurm cluster', () => {
  test('are one array for one order, and each begins once although the answer was lost', async () => {
    writeFileSync(mark(), '')
    const stamps = ['first', 'second', 'third']
    const order = async (stamp: string) => pilot(stamp, 'forever')
    await again().submit(stamps, order)
    const [batch] = readdirSync(join(space(), 'batches'))
    const before = await jobsAtSlurm()
    // As if the login host had died after it asked Slurm, before it wrote down the answer.
    rmSync(join(space(), 'batches', batch!, 'job'))
    await again().submit(stamps, order)
    expect(await jobsAtSlurm()).toEqual(before)
    await expect.poll(() => begun().sort(), { timeout: 30_000 }).toEqual([...stamps].sort())
    expect(new Set((await again().list()).map(({ reference }) => reference)).size).toBe(3)
    await again().cancel(stamps, 5000)
    await again().forget(stamps)
    expect(readdirSync(join(space(), 'batches'))).toEqual([])
  })

  test('begin once although Slurm was asked twice', async () => {
    writeFileSync(mark(), '')
    await again().submit(['twin'], async (stamp) => pilot(stamp, 'forever'))
    await expect.poll(begun, { timeout: 30_000 }).toEqual(['twin'])
    const [batch] = readdirSync(join(space(), 'batches'))
    const script = join(space(), 'batches', batch!, 'script')
    const as = ['-u', lab.cluster.user, '--', 'env', `SLURM_CONF=${join(lab.directory, 'slurm.conf')}`]
    const job = execFileSync('runuser', [...as, 'sbatch', '--parsable', script], { cwd: '/' })
      .toString()
      .trim()
    await expect
      .poll(() => lab.slurm('squeue', '-h', '-t', 'all', '-j', job, '-o', '%T'), { timeout: 30_000 })
      .toBe('COMPLETED\n')
    expect(begun()).toEqual(['twin'])
    await again().cancel(['twin'], 0)
    await again().forget(['twin'])
  })

  test('get a new configuration while they wait, and leave no file that others may read', async () => {
    const batch = again()
    // Nobody has so many cores: it waits, until it is given up.
    await lab.slurm('scontrol', 'update', 'PartitionName=short', 'State=DOWN')
    await batch.submit(['later'], async (stamp) => pilot(stamp, { code: 0 }))
    await expect.poll(async () => (await batch.list())[0]?.state).toBe('Waiting')
    await batch.renew(['later'], async (stamp) => ({ ...pilot(stamp, { code: 0 }), token: 'newer' }))
    const file = join(space(), 'pilots/later/pilot.json')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ token: 'newer', directory: '@scratch@' })
    expect(modesBelow(join(lab.directory, 'home/.kumihimo')).filter((mode) => (mode & 0o77) !== 0)).toEqual(
      [],
    )
    await lab.slurm('scontrol', 'update', 'PartitionName=short', 'State=UP')
    await expect.poll(async () => (await batch.list())[0]?.state, { timeout: 30_000 }).toBe('Done')
    await batch.forget(['later'])
  })

  test('say what is wrong: another host key, no login, a wrong partition, one for others, too much time', async () => {
    const order = async (stamp: string) => pilot(stamp, { code: 0 })
    const other = `SHA256:${'A'.repeat(43)}`
    await expect(again({ hostKey: other }).list()).rejects.toMatchObject({ code: 'host_key_unknown' })
    await expect(again({ hostKey: '' }).list()).rejects.toThrow(lab.cluster.hostKey)
    await expect(again({ user: 'stranger' }).list()).rejects.toMatchObject({ code: 'login_refused' })
    await expect(again({ port: 1 }).list()).rejects.toMatchObject({ code: 'cluster_away', kind: 'transient' })
    await expect(again({ partition: 'none' }).submit(['x1'], order)).rejects.toMatchObject({
      code: 'partition_wrong',
    })
    await expect(again({ partition: 'staff' }).submit(['x2'], order)).rejects.toThrow(/partition/)
    await expect(
      again().submit(['x3'], async (stamp) => ({ ...(await order(stamp)), memoryMb: 1e6 })),
    ).rejects.toThrow(/Memory|configuration/)
    expect(await again().list()).toEqual([])
    const short = { name: 'short', up: true, limit: '1:00:00', standard: true }
    expect(await again().partitions()).toContainEqual(short)
    expect(await again().tryout(offer)).toMatch(/to start at/)
    await expect(again().tryout({ ...offer, seconds: 3600 })).rejects.toThrow(/at most 1:00:00.* 65 minutes/)
    await expect(again({ partition: 'long' }).tryout({ ...offer, seconds: 3600 })).resolves.toMatch(
      /to start at/,
    )
    await expect(again().tryout({ ...offer, memoryMb: 1e6 })).rejects.toMatchObject({
      code: 'submit_refused',
    })
  })

  test('are neither lost nor doubled while Slurm and the login host are away', async () => {
    writeFileSync(mark(), '')
    const batch = again()
    await batch.submit(['steady'], async (stamp) => pilot(stamp, 'forever'))
    await expect.poll(begun, { timeout: 30_000 }).toEqual(['steady'])
    // Slurm itself forgets what it had not written down yet: a word said now must be in its file, and all before it.
    const [{ reference } = { reference: null }] = await batch.list()
    await lab.slurm('scontrol', 'update', `JobId=${reference?.replace('job ', '')}`, 'AdminComment=seen')
    const written = () => readFileSync(join(lab.directory, 'state/job_state')).includes('seen')
    await expect.poll(written, { timeout: 30_000 }).toBe(true)
    process.kill(lab.pidOf('slurmctld'), 'SIGKILL')
    await expect(batch.list()).rejects.toMatchObject({ code: 'cluster_away', kind: 'transient' })
    await lab.restart('slurmctld')
    await expect
      .poll(async () => (await batch.list().catch(() => []))[0]?.state, { timeout: 30_000 })
      .toBe('Running')
    await batch.cancel(['steady'], 5000)
    await batch.forget(['steady'])
  })

  test('leave nothing outside the directory of the gateway when it ends', async () => {
    const place = { ...lab.cluster, directory: join(gateway, '2'), identity: join(gateway, 'key') }
    expect(existsSync(controlDirectory(place))).toBe(true)
    await Promise.all(opened.map((batch) => batch.close()))
    expect(existsSync(controlDirectory(place))).toBe(false)
  })
})

function modesBelow(directory: string): number[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return [statSync(path).mode, ...(entry.isDirectory() ? modesBelow(path) : [])]
  })
}
