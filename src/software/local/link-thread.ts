import { serveJobs } from '../../kernel/thread-errors.ts'
import { linkWork, type Wanted } from './link-work.ts'

serveJobs<readonly Wanted[]>(async (files) => ({ result: linkWork(files) }))
