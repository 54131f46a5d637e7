import type { Identity } from '../../identity/index.ts'
import type { Clock, Db, Wakeups } from '../../kernel/index.ts'
import type { RawDeps } from '../../raw/index.ts'
import type { Software } from '../../software/index.ts'
import type { JobDoorDeps } from './job-deps.ts'

/** What the door needs from the program that wires it. */
export interface KumiDoorDeps {
  readonly db: Db
  readonly identity: Identity
  readonly wakeups: Wakeups
  readonly software: Software
  readonly jobs: JobDoorDeps
  readonly raw: RawDeps
  readonly clock: Clock
  /** The VO that a console without a session logs in to. */
  readonly vo: string
  readonly version: string
  /** `https://host:port/iam` without the VO. */
  readonly issuerBase: string
  /** Directory with the compiled console; nothing is served at `/` when it does not exist. */
  readonly consoleDirectory: string
}
