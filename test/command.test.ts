import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** A checkout as small as can be: what prepares it says so and notes it, and the command says what it was given. */
describe('the command of a clone', () => {
  let clone = ''
  const node = execFileSync('sh', ['-c', 'command -v node'], { encoding: 'utf8' }).trim()
  const write = (file: string, content: string) => {
    mkdirSync(dirname(join(clone, file)), { recursive: true })
    writeFileSync(join(clone, file), content)
  }
  /** What it printed: `prepared`, if it was. */
  const run = (command = join(clone, 'kumi'), env = process.env) => {
    const { stdout, stderr } = spawnSync(command, ['a b'], { encoding: 'utf8', env })
    return `${stdout}${stderr}`
  }

  beforeEach(() => {
    clone = mkdtempSync(join(tmpdir(), 'kumi-clone-'))
    copyFileSync(join(import.meta.dirname, '..', 'kumi'), join(clone, 'kumi'))
    for (const file of ['package.json', 'package-lock.json', 'tsconfig.json', 'src/deep/down/one.ts'])
      write(file, '{}')
    for (const file of ['bench/one.ts', 'web/one.ts', 'dist/.server-built', 'dist/.web-built'])
      write(file, '')
    write('node_modules/.kumi-installed', '')
    write('dist/src/cli/main.js', 'console.log(JSON.stringify(process.argv.slice(2)))')
    const note = `import { utimesSync, writeFileSync } from 'node:fs'
      console.log('prepared')
      const file = ${JSON.stringify(join(clone, 'dist/.seen-build'))}
      writeFileSync(file, \`one two \${process.argv0}\\n\`)
      utimesSync(file, new Date(), new Date())`
    write('scripts/prepare.mjs', note)
    expect(run()).toContain('prepared')
  })
  afterEach(() => rmSync(clone, { recursive: true, force: true }))

  test('runs what is prepared, also through a link and from elsewhere', () => {
    expect(run()).toBe('["a b"]\n')
    symlinkSync(join(clone, 'kumi'), join(clone, 'dist', 'kumi'))
    expect(run(join(clone, 'dist', 'kumi'))).toBe('["a b"]\n')
  })

  test.each<[string, () => void]>([
    ['a source changed', () => write('src/deep/down/one.ts', 'changed')],
    ['a source came', () => write('web/new/two.ts', '')],
    ['a source went', () => rmSync(join(clone, 'bench/one.ts'))],
    [
      'a source was replaced by one that is older',
      () => utimesSync(join(clone, 'src/deep/down/one.ts'), 1, 1),
    ],
    ['packages changed', () => write('package-lock.json', '{ }')],
    ['packages are missing', () => rmSync(join(clone, 'node_modules'), { recursive: true })],
    ['nothing is compiled', () => rmSync(join(clone, 'dist/.server-built'))],
    ['a directory is missing', () => rmSync(join(clone, 'bench'), { recursive: true })],
    ['another Node.js prepared it', () => write('dist/.seen-build', `one two ${node}.old\n`)],
    ['nobody noted anything', () => rmSync(join(clone, 'dist/.seen-build'))],
  ])('prepares when %s', (_, change) => {
    expect(run()).not.toContain('prepared')
    change()
    expect(run()).toContain('prepared')
  })

  test('says what is missing where there is no Node.js', () => {
    const path = join(clone, 'bin')
    mkdirSync(path)
    for (const tool of ['sh', 'dirname', 'readlink']) {
      const there = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim()
      symlinkSync(there, join(path, tool))
    }
    expect(run(undefined, { PATH: path })).toMatch(/^kumi needs Node.js 20\.19 or newer/)
  })
})
