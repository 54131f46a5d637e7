import { type JobColumn, type JobEvent, type JobView, kindOfColumn, stateName } from '../../workload/index.ts'
import type { Vocabulary } from './search.ts'

/** Columns of the field's job table, and where we keep them. */
const COLUMNS: Readonly<Record<string, JobColumn>> = {
  JobID: 'id',
  JobType: 'jobType',
  JobGroup: 'jobGroup',
  Site: 'site',
  JobName: 'name',
  Owner: 'owner',
  OwnerGroup: 'group',
  VO: 'vo',
  SubmissionTime: 'submittedAt',
  RescheduleTime: 'rescheduledAt',
  LastUpdateTime: 'updatedAt',
  StartExecTime: 'startedAt',
  HeartBeatTime: 'heartbeatAt',
  EndExecTime: 'endedAt',
  Status: 'state',
  MinorStatus: 'minor',
  ApplicationStatus: 'application',
  UserPriority: 'priority',
  RescheduleCounter: 'reschedules',
}

export const JOB_WORDS: Vocabulary<JobColumn> = {
  columns: COLUMNS,
  kindOf: kindOfColumn,
  constants: { VerifiedFlag: true, AccountedFlag: false },
  related: { name: 'PilotStamp', notWith: 'JobID' },
}

const time = (date: Date | null): string | null => date?.toISOString() ?? null

/** The whole picture of a job, in the field's names. */
export function jobRecord(job: JobView): Record<string, unknown> {
  return {
    JobID: Number(job.id),
    JobType: job.jobType,
    JobGroup: job.jobGroup,
    Site: job.site ?? 'ANY',
    JobName: job.name,
    Owner: job.owner,
    OwnerGroup: job.group,
    VO: job.vo,
    SubmissionTime: time(job.submittedAt),
    RescheduleTime: time(job.rescheduledAt),
    LastUpdateTime: time(job.updatedAt),
    StartExecTime: time(job.startedAt),
    HeartBeatTime: time(job.heartbeatAt),
    EndExecTime: time(job.endedAt),
    Status: stateName(job.state),
    MinorStatus: job.minor,
    ApplicationStatus: job.application,
    UserPriority: job.priority,
    RescheduleCounter: Math.max(0, job.attempt - 1),
    VerifiedFlag: true,
    AccountedFlag: false,
  }
}

export const logRecord = ({ state, minor, application, at, source }: JobEvent) => ({
  Status: stateName(state),
  MinorStatus: minor,
  ApplicationStatus: application,
  StatusTime: at.toISOString(),
  Source: source,
})
