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
  // A number by name is a function: what it says of a name nobody mentioned is compared.
  const seen = (environment: Readonly<Record<string, string | undefined>>) =>
    Object.entries(readConfig(serverSettings, environment)).map(([key, value]) => [
      key,
      typeof value === 'function' ? value('anything') : value,
    ])
  expect(seen(sample)).toEqual(seen({}))
})
