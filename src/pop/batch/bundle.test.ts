import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, expect, test } from 'vitest'
import { bundleOf } from './bundle.ts'

const directory = mkdtempSync(join(tmpdir(), 'kumi-bundle-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

async function namesIn(program: string): Promise<string[]> {
  const input = await buffer(bundleOf(program, { node: false }).archive())
  return execFileSync('tar', ['-tzf', '-'], { input, encoding: 'utf8' }).trim().split('\n').sort()
}

test('a bundle has the modules of a program, and the threads that they start with their own', async () => {
  const modules = {
    'main.js': "import { start } from './start.js'\nstart()",
    'start.js': "export const start = () => createThreads(import.meta.url, 'work-thread', { most: 1 })",
    'work-thread.js': "import './deep.js'",
    'deep.js': '',
    'other.js': '',
  }
  for (const [name, text] of Object.entries(modules)) writeFileSync(join(directory, name), text)
  expect(await namesIn(join(directory, 'main.js'))).toEqual([
    ...['app/deep.js', 'app/main.js', 'app/package.json', 'app/start.js', 'app/work-thread.js'],
  ])
})

test('the bundle of a pilot has the thread by which it makes trees of software', async () => {
  const pilot = await namesIn(join(import.meta.dirname, '../../pilot/main.ts'))
  expect(pilot).toContain('app/pilot/main.ts')
  expect(pilot).toContain('app/software/local/link-thread.ts')
  expect(pilot).toContain('app/software/local/link-work.ts')
})
