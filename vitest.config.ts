import { configDefaults, defineConfig } from 'vitest/config'
import { filesLeftOut } from './test/harness/foreign.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...filesLeftOut(import.meta.dirname)],
    globalSetup: ['test/harness/postgres.ts'],
    pool: 'forks',
    // A process for each file would load the program anew each time.
    isolate: false,
    setupFiles: ['test/harness/leave-as-found.ts'],
    // Journeys wait more than they compute.
    maxWorkers: 3,
    // Threads that a test starts read the sources as they are.
    execArgv: ['--import', new URL('./test/harness/typescript-loader.mjs', import.meta.url).href],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: process.env.CI
      ? ['default', ['json', { outputFile: 'test-results/vitest.json' }]]
      : ['default'],
  },
})
