import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { jobs, jobWorld, vo } from '../../test/harness/job-world.ts'
import { recipeOf, scriptOf } from './index.ts'

const database = testDatabase()
const world = jobWorld(database)
const directory = mkdtempSync(join(tmpdir(), 'kumi-recipe-'))
beforeEach(() => world.clear())
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const base64 = (text: string) => Buffer.from(text).toString('base64')

/** The script of a job as anybody would run it. */
async function runHere(id: bigint): Promise<{ stdout: string; script: string }> {
  const script = scriptOf(await recipeOf(database.db, vo, id))
  writeFileSync(join(directory, 'job.sh'), script)
  const { stdout } = await promisify(execFile)('sh', ['job.sh'], { cwd: directory })
  return { stdout, script }
}

describe('the script of a job', () => {
  test('does what its pilot did: files, environment, command, with what is different for each filled in', async () => {
    const program = `#!/bin/sh\nprintf '%s|' "$@" "$ODD" "$KUMI_JOB_ID" "$(cat share/notes)"\n`
    const odd = `it's $HOME; "two  words" \\ and\nlines`
    const [, second] = await world.submit([
      jobs({
        count: 2,
        spec: {
          executable: 'fit.sh',
          arguments: ['%n', '', "o'clock", '*'],
          environment: { ODD: odd },
          files: [
            { name: 'fit.sh', executable: false, content: base64(program) },
            { name: 'share/notes', executable: false, content: base64(`${'x'.repeat(500)}KUMI_END`) },
          ],
        },
      }),
    ])
    const { stdout } = await runHere(second!)
    expect(stdout.split('|').slice(0, -1)).toEqual([
      ...['1', '', "o'clock", '*', odd, String(second), `${'x'.repeat(500)}KUMI_END`],
    ])
  })

  test('takes a command that did not come along from the machine', async () => {
    const [id] = await world.submit([jobs({ spec: { executable: 'echo', arguments: ['here'] } })])
    expect((await runHere(id!)).stdout).toBe('here\n')
  })

  test('names inputs, releases and archives that it fetches', async () => {
    const dids = [
      { scope: 'user.mika', name: 'day1/f.root' },
      { scope: 'user.mika', name: 'day2/f.root' },
    ]
    const software = { repository: 'koto.example.org', release: 'koto.example.org@v8', revision: 3 }
    const [id] = await world.submit([
      jobs({
        items: [{ n: 0, parameters: {}, inputs: dids }],
        spec: { software: { ...software, root: 'abc', masterPublicPem: '' } },
      }),
    ])
    const recipe = await recipeOf(database.db, vo, id!)
    const script = scriptOf({ ...recipe, spec: { ...recipe.spec, inputSandboxes: ['SB:SandboxSE|/x'] } })
    expect(script).toContain('user.mika:day1/f.root\nuser.mika:day2/f.root\n')
    expect(script).toContain('user.mika/day1/f.root\tf.root\nuser.mika/day2/f.root\t2_f.root\n')
    expect(script).toContain(`kumi job sandbox ${id} --input --to .\n`)
    expect(script).toMatch(/^exec kumi software run koto\.example\.org@abc -- "\$program"$/m)
  })

  test('of a job that nobody submitted does not exist', async () => {
    await expect(recipeOf(database.db, vo, 1n)).rejects.toThrow(/no job 1/)
  })
})
