import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts'],
    globalSetup: ['test/harness/postgres.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Threads that a test starts read the sources as they are.
    execArgv: ['--import', new URL('./test/harness/typescript-loader.mjs', import.meta.url).href],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: process.env.CI
      ? ['default', ['json', { outputFile: 'test-results/vitest.json' }]]
      : ['default'],
  },
})
