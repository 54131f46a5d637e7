import type { BenchGrid } from './grid.ts'
import { median } from './measure.ts'

const TIMES = 5

/** What the console asks for its screen of jobs, each several times: median and longest, in ms. */
export async function jobScreen({ doors }: BenchGrid): Promise<Record<string, readonly [number, number]>> {
  const newest = await doors.call<{ jobs: { id: number }[] }>('GET', '/kumi/v1/jobs?limit=1')
  const id = newest.jobs[0]!.id
  const questions = {
    newest: '/kumi/v1/jobs?limit=100',
    waiting: '/kumi/v1/jobs?limit=100&status=Waiting',
    failed: '/kumi/v1/jobs?limit=100&status=Failed',
    'at a site': '/kumi/v1/jobs?limit=100&site=kek',
    'by name': '/kumi/v1/jobs?limit=100&name=nothing',
    counts: '/kumi/v1/jobs/counts',
    timeline: '/kumi/v1/jobs/timeline?hours=24',
    'one job': `/kumi/v1/jobs/${id}`,
  }
  const answers: Record<string, readonly [number, number]> = {}
  for (const [what, path] of Object.entries(questions)) {
    const times: number[] = []
    for (let i = 0; i < TIMES; i++) {
      const start = performance.now()
      await doors.call('GET', path)
      times.push(Math.round(performance.now() - start))
    }
    answers[what] = [median(times), Math.max(...times)]
  }
  return answers
}
