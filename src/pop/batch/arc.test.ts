// Needs arched.
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ArcLab, startArcLab } from '../../../test/harness/arc-lab.ts'
import { createCa } from '../../identity/x509/certificates.ts'
import { type ArcBatch, arcBatch } from './arc.ts'
import { type ArcCredential, certificateCredential } from './arc-credential.ts'
import { descriptionsOf } from './arc-job.ts'
import type { ArcPlace } from './arc-place.ts'
import { arcRecords } from './arc-records.ts'
import { batchContract } from './batch.contract.ts'

let lab: ArcLab
let gateway: string
const opened: ArcBatch[] = []
const mark = () => join(lab.directory, 'begun')
const offer = { cores: 1, memoryMb: 256, seconds: 600 }

beforeAll(async () => {
  lab = await startArcLab()
  gateway = join(lab.directory, 'gateway')
  mkdirSync(gateway, { mode: 0o700 })
  writeFileSync(join(gateway, 'credential.pem'), lab.credential, { mode: 0o600 })
  writeFileSync(
    join(gateway, 'pilot.mjs'),
    `import { appendFileSync, readFileSync } from 'node:fs'
     const { stamp, mark, code } = JSON.parse(readFileSync(process.argv[3], 'utf8'))
     appendFileSync(mark, stamp + '\\n')
     if (code !== undefined) process.exit(code)
     process.on('SIGTERM', () => process.exit(0))
     setInterval(() => undefined, 1000)`,
  )
  // The pilots belong to another account.
  writeFileSync(mark(), '')
  chmodSync(mark(), 0o666)
})
afterAll(async () => {
  for (const batch of opened) batch.close()
  await lab.stop()
})

const again = (more: Partial<ArcPlace> & { with?: ArcCredential } = {}): ArcBatch => {
  const { with: credential = certificateCredential(join(gateway, 'credential.pem')), ...changed } = more
  // Its own Node is sent in the journey; here that of this machine will do.
  const place = { ...lab.place, node: process.execPath, ...changed }
  const batch = arcBatch({
    ...{ place, space: 'contract', directory: join(gateway, 'place'), program: join(gateway, 'pilot.mjs') },
    ...{ credential, authorities: async () => [place.authority] },
  })
  opened.push(batch)
  return batch
}
const pilot = (stamp: string, behaviour: { code: number } | 'forever') => ({
  ...{ ...offer, stamp, mark: mark(), token: 'secret' },
  ...(behaviour === 'forever' ? {} : behaviour),
})
// ARC looks after its jobs at its own pace, and takes long to start.
const TIMEOUT = { timeout: 180_000, interval: 200 }

batchContract('arc', () => ({
  ...{ mark: mark(), again, pilot },
  async kill(stamp) {
    const pid = () => readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && runs(entry, stamp))
    await expect.poll(pid, TIMEOUT).toBeDefined()
    process.kill(Number(pid()), 'SIGKILL')
  },
}))

const begun = () => readFileSync(mark(), 'utf8').split('\n').filter(Boolean)
const order = async (stamp: string) => pilot(stamp, 'forever')
const stateOf = async (batch: ArcBatch, stamp: string) =>
  (await batch.list()).find((one) => one.stamp === stamp)?.state

describe('pilots at an ARC computing element', { timeout: 600_000 }, () => {
  test('begin once each although answers were lost, and what was asked for in vain is removed', async () => {
    writeFileSync(mark(), '')
    const stamps = ['lost', 'found']
    const batch = again()
    const names = stamps.map((stamp) => `kumi-contract-${stamp}`)
    const text = descriptionsOf(names, { place: lab.place, offer, delegation: undefined })
    // As if the gateway had died twice after ARC had taken the jobs, before it wrote down their names.
    await batch.rest.submit(text)
    await batch.rest.submit(text)
    const records = arcRecords(join(gateway, 'place/pilots'))
    for (const stamp of stamps) records.write({ stamp, id: null, sent: false, refused: '', at: Date.now() })
    expect(await stateOf(batch, 'lost')).toBe('Waiting')
    await again().submit(stamps, order)
    await expect.poll(() => begun().sort(), TIMEOUT).toEqual([...stamps].sort())
    const alive = async () => {
      await batch.list()
      return [...(await batch.rest.jobs()).values()].filter(
        (state) => !/FINISHED|FAILED|KILL|WIPED/.test(state),
      )
    }
    await expect.poll(async () => (await alive()).length, TIMEOUT).toBe(2)
    expect(new Set((await again().list()).map(({ reference }) => reference)).size).toBe(2)
    await again().cancel(stamps, 5000)
    await again().forget(stamps)
    expect(begun()).toHaveLength(2)
  })

  test('get a new configuration while they wait, and leave no file that others may read', async () => {
    const batch = again()
    process.kill(lab.pidOf('arex'), 'SIGKILL')
    await batch.submit(['later'], async (stamp) => pilot(stamp, { code: 0 }))
    expect(await stateOf(batch, 'later')).toBe('Waiting')
    await batch.renew(['later'], async (stamp) => ({ ...pilot(stamp, { code: 0 }), token: 'newer' }))
    const id = arcRecords(join(gateway, 'place/pilots')).of('later')!.id!
    const session = join(lab.directory, 'session', id)
    const config = JSON.parse(readFileSync(join(session, 'pilot.json'), 'utf8'))
    expect(config).toMatchObject({ token: 'newer', directory: '@scratch@' })
    expect(statSync(session).mode & 0o77).toBe(0)
    expect(readFileSync(join(lab.directory, 'control', `job.${id}.proxy`), 'utf8')).toContain('PRIVATE KEY')
    await lab.restart('arex')
    await expect.poll(() => stateOf(batch, 'later'), TIMEOUT).toBe('Done')
    await batch.forget(['later'])
  })

  test('say what is wrong: an open file, no certificate, another authority, a wrong queue', async () => {
    const file = join(gateway, 'open.pem')
    writeFileSync(file, lab.credential)
    chmodSync(file, 0o644)
    await expect(again({ with: certificateCredential(file) }).rest.jobs()).rejects.toThrow(/0600/)
    const absent = certificateCredential(join(gateway, 'absent.pem'))
    await expect(absent.describe()).rejects.toMatchObject({ code: 'bad_cluster' })
    const { certificatePem } = await createCa({ name: 'Another', now: new Date() })
    await expect(again({ authority: certificatePem }).rest.jobs()).rejects.toMatchObject({
      ...{ code: 'cluster_away', kind: 'transient' },
    })
    await expect(again({ queue: 'none' }).submit(['x1'], order)).rejects.toMatchObject({
      code: 'submit_refused',
    })
    expect(await again().list()).toEqual([])
  })

  test('are neither lost nor doubled while its interface is away', async () => {
    writeFileSync(mark(), '')
    const batch = again()
    await batch.submit(['steady'], order)
    await expect.poll(begun, TIMEOUT).toEqual(['steady'])
    process.kill(lab.pidOf('ws'), 'SIGKILL')
    await expect(batch.list()).rejects.toMatchObject({ code: 'cluster_away', kind: 'transient' })
    await lab.restart('ws')
    await expect.poll(() => stateOf(batch, 'steady').catch(() => undefined), TIMEOUT).toBe('Running')
    await batch.cancel(['steady'], 5000)
    await batch.forget(['steady'])
    expect(begun()).toEqual(['steady'])
  })
})

function runs(pid: string, stamp: string): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return command.some((word) => word.includes(`/kumi-${stamp}-`)) && command[0]!.endsWith('node')
  } catch {
    return false
  }
}
