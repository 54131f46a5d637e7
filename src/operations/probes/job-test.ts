import type { Db } from '../../kernel/index.ts'
import {
  DEFAULT_DEMAND,
  isFinal,
  isWithPilot,
  jobsByIds,
  killJobs,
  type NewJobs,
  normalDemand,
  STATES,
  stateName,
  submitJobs,
} from '../../workload/index.ts'
import type { Probe, TestResult } from './probe.store.ts'
import type { Prober } from './prober.ts'

/** A job that nobody took for so long says that the site takes none, unless others run there. */
const PATIENCE_MS = 3_600_000
const MINUTES = 6

const script = `#!/bin/sh
uname -a && date -u && df -k . && test -w .
`

/** One small job at a site; it is looked at again until it is over. */
export async function testJob(
  { db }: { db: Db },
  { probe, prober, now }: { probe: Probe; prober: Prober; now: Date },
): Promise<{ results: TestResult[]; jobId: bigint | null; jobUntil: Date | null }> {
  const { vo, site, jobId, jobUntil } = probe
  if (jobId === null || jobUntil === null) {
    const [id] = await submitJobs(db, { now, by: prober, jobs: [jobAt(site)] })
    return { results: [], jobId: id!, jobUntil: new Date(now.getTime() + PATIENCE_MS) }
  }
  const over = (results: TestResult[]) => ({ results, jobId: null, jobUntil: null })
  const [job] = await jobsByIds(db, vo, [jobId])
  if (!job) return over([])
  const ms = (job.endedAt ?? now).getTime() - job.submittedAt.getTime()
  if (isFinal(job.state)) {
    const ok = job.state === STATES.Done
    const why = `${stateName(job.state)}: ${job.minor} (${job.application})`
    // Somebody took it away: that says nothing of the site.
    if (job.state === STATES.Killed || job.state === STATES.Deleted) return over([])
    return over([{ test: 'job', ok, ms, message: ok ? '' : why }])
  }
  if (now < jobUntil) return { results: [], jobId, jobUntil }
  if (isWithPilot(job.state)) return { results: [], jobId, jobUntil: new Date(now.getTime() + PATIENCE_MS) }
  await killJobs(db, { vo, now, ids: [jobId], source: prober.account })
  return over([{ test: 'job', ok: false, ms, message: 'No pilot took the job within an hour.' }])
}

const jobAt = (site: string): NewJobs => ({
  ...{ name: `active test of ${site}`, jobGroup: 'active-tests', jobType: 'Test', priority: 10 },
  items: [{ n: 0, parameters: {}, inputs: [] }],
  demand: normalDemand({
    ...DEFAULT_DEMAND,
    ...{ seconds: MINUTES * 60, memoryMb: 256, diskMb: 100, sites: [site] },
  }),
  spec: {
    ...{ executable: 'active-test.sh', arguments: [], environment: {} },
    files: [{ name: 'active-test.sh', executable: true, content: Buffer.from(script).toString('base64') }],
    ...{ inputSandboxes: [], outputSandbox: [], standardOutput: 'std.out', standardError: 'std.err' },
    ...{ outputs: [], destination: null, readFromAfar: false, tries: 1, jdl: null },
  },
})
