import { expect, test } from 'vitest'
import { settingsPage } from '../test/harness/pages.ts'
import { readConfig, sampleConfig } from './kernel/index.ts'
import { gatewaySettings } from './pop/config.ts'
import { serverSettings } from './settings.ts'

const behind = 'run: npm run docs'

test('the page of the settings and the sample file say what the code knows', async () => {
  const page = settingsPage(serverSettings, gatewaySettings)
  await expect(page, behind).toMatchFileSnapshot('../docs/operate/settings.md')
  const sample = `${sampleConfig(serverSettings)}\n`
  await expect(sample, behind).toMatchFileSnapshot('../docs/operate/settings.env')
})

test('the sample file changes nothing', () => {
  const lines = sampleConfig(serverSettings)
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
  const sample = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)))
  expect(readConfig(serverSettings, sample)).toEqual(readConfig(serverSettings, {}))
})
