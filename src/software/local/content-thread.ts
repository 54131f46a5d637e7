import { setFlagsFromString } from 'node:v8'
import { serveJobs } from '../../kernel/thread-errors.ts'
import { type ContentJob, contentWork } from './content-work.ts'

// Most publications are over before the optimiser of Node.js 20 has paid for itself: it begins when code has run eight
// times as much. Newer ones wait longer by themselves, and complain about this setting.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--interrupt-budget=1000000')

serveJobs<ContentJob>(async (job) => contentWork(job))
