import { withClient } from '../client/http.ts'
import { accountName } from '../client/rucio.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'
import { type Condition, searchJobs } from './jobs.ts'

interface ListOptions extends SharedOptions {
  readonly all?: boolean
  readonly status?: string[]
  readonly site?: string
  readonly limit: string
}

export async function ls(options: ListOptions): Promise<void> {
  await withClient(options, async (client) => {
    const search: Condition[] = [
      ...(options.all ? [] : [{ parameter: 'Owner', operator: 'eq', value: await accountName(client) }]),
      ...(options.status ? [{ parameter: 'Status', operator: 'in' as const, values: options.status }] : []),
      ...(options.site ? [{ parameter: 'Site', operator: 'eq', value: options.site }] : []),
    ]
    const jobs = await searchJobs(client, search, { limit: Number(options.limit) })
    show(options, jobs, () =>
      table(jobs, [
        { title: 'JOB', right: true, value: (job) => job.JobID },
        { title: 'NAME', value: (job) => job.JobName },
        { title: 'OWNER', value: (job) => job.Owner },
        { title: 'STATUS', value: (job) => job.Status },
        { title: 'SITE', value: (job) => (job.Site === 'ANY' ? '-' : job.Site) },
        { title: 'DETAIL', value: (job) => job.MinorStatus },
        { title: 'SUBMITTED', value: (job) => job.SubmissionTime.slice(0, 19).replace('T', ' ') },
      ]),
    )
  })
}

export async function summary(options: SharedOptions & { by?: string[]; all?: boolean }): Promise<void> {
  await withClient(options, async (client) => {
    const grouping = options.by ?? ['Status']
    const search = options.all
      ? []
      : [{ parameter: 'Owner', operator: 'eq', value: await accountName(client) }]
    const lines = await client.json<Record<string, string | number>[]>('POST', '/diracx/api/jobs/summary', {
      json: { grouping, search },
    })
    show(options, lines, () =>
      table(lines, [
        ...grouping.map((name) => ({
          title: name.toUpperCase(),
          value: (line: Record<string, string | number>) => line[name],
        })),
        { title: 'JOBS', right: true, value: (line) => line.count },
      ]),
    )
  })
}
