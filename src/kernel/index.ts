export {
  type Config,
  readConfig,
  type Setting,
  type Settings,
  sampleConfig,
} from './config.ts'
export {
  affected,
  cursor,
  type Database,
  type Db,
  isDatabaseDown,
  isRetryableTransaction,
  openDatabase,
  prepared,
  row,
  rows,
  sql,
  type Tx,
  transaction,
  waitForDatabase,
} from './database.ts'
export { type EmbeddedPostgres, purgeEmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts'
export { defineError, type ErrorKind, GridError, isGridError, toGridError } from './errors.ts'
export {
  type EventPosition,
  endOfEvents,
  eventsAfter,
  eventsAhead,
  type GridEvent,
  listen,
  publish,
  type StoredEvent,
  type Wakeups,
  wake,
} from './events.ts'
export { createLogger, type Logger, redact, redactText, silentLogger } from './log.ts'
export { counter, enableProcessMetrics, gauge, histogram, metrics } from './metrics.ts'
export { type AppliedMigration, type MigrationSource, migrate, requireServerVersion } from './migrate.ts'
export {
  type Clock,
  type Ids,
  type Ports,
  type Rng,
  seededRng,
  systemClock,
  systemPorts,
  virtualClock,
} from './ports.ts'
export { backoffMs, type RetryPolicy, retry } from './retry.ts'
export { type RunningWorkers, runWorkers, type TickResult, type Worker } from './workers.ts'
