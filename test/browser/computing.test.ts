// Computing and operations in a real browser, at one really started grid that really runs the jobs.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe } from 'vitest'
import { missing } from '../harness/foreign.ts'
import { type StartedGrid, startGrid, storeRun } from './grid.ts'
import { jobsJourney } from './jobs-journey.ts'
import { operationsJourney } from './operations-journey.ts'
import { productionsJourney } from './productions-journey.ts'
import { rawJourney } from './raw-journey.ts'
import { CHROMIUM, startBrowser } from './screen.ts'

describe.skipIf(missing(CHROMIUM))('computing at the console', () => {
  let grid: StartedGrid
  let browser: Browser
  beforeAll(async () => {
    grid = await startGrid()
    await storeRun(grid)
    browser = await startBrowser()
  }, 240_000)
  afterAll(async () => {
    await browser?.close()
    await grid?.stop()
  }, 90_000)

  const world = {
    get grid() {
      return grid
    },
    get browser() {
      return browser
    },
  }
  describe('jobs and sites', () => jobsJourney(world))
  describe('productions', () => productionsJourney(world))
  describe('raw data', () => rawJourney(world))
  describe('operations', () => operationsJourney(world))
})
