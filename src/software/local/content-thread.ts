import { serveJobs } from '../../kernel/thread-errors.ts'
import { type ContentJob, contentWork } from './content-work.ts'

serveJobs<ContentJob>(async (job) => contentWork(job))
