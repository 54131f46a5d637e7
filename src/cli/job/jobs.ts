import type { GridClient } from '../client/http.ts'

/** A job as the standard search shows it. */
export interface JobLine {
  readonly JobID: number
  readonly JobName: string
  readonly JobGroup: string
  readonly Owner: string
  readonly Site: string
  readonly Status: string
  readonly MinorStatus: string
  readonly ApplicationStatus: string
  readonly SubmissionTime: string
  readonly LastUpdateTime: string
}

export type Condition =
  | { readonly parameter: string; readonly operator: string; readonly value: string }
  | { readonly parameter: string; readonly operator: 'in'; readonly values: readonly (string | number)[] }

export function searchJobs(
  client: GridClient,
  search: readonly Condition[],
  page: { readonly limit: number },
): Promise<JobLine[]> {
  return client.json('POST', '/diracx/api/jobs/search', {
    query: { page: 1, per_page: page.limit },
    json: { search, sort: [{ parameter: 'JobID', direction: 'desc' }] },
  })
}

export const isOver = (status: string): boolean => ['Done', 'Failed', 'Killed', 'Deleted'].includes(status)
