import { afterAll, vi } from 'vitest'

/** Test files share the process they run in, one after the other: what one replaced is put back for the next. */
afterAll(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  vi.useRealTimers()
})
