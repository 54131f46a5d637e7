import { type ContentJob, contentWork } from './content-work.ts'
import { serveJobs } from './thread-errors.ts'

serveJobs<ContentJob>(async (job) => contentWork(job))
