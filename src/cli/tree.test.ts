import { execFileSync } from 'node:child_process'
import type { Command } from 'commander'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defineError } from '../kernel/errors.ts'
import { version } from '../version.ts'
import { readCommandLine } from './command-line.ts'
import { completionScript, completionWords } from './completion.ts'
import { describeFailure, exitCodeOf, partial } from './outcome.ts'
import { progressLine, showProgress } from './progress.ts'
import { bytesText, spanText, table } from './terminal.ts'
import { commandTree } from './tree.ts'

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

describe('the command tree', () => {
  test('knows every noun by its name before it is loaded, in the same order', async () => {
    const names = async (wanted: string | undefined) =>
      (await commandTree(wanted)).commands.map((c) => c.name())
    expect(await names(undefined)).toEqual(await names('all'))
    expect(await names('data')).toEqual(await names('all'))
  })

  test('says what every command is for, and offers JSON wherever something is printed', async () => {
    for (const leaf of leaves(await commandTree('all'))) {
      expect(leaf.description(), leaf.name()).not.toBe('')
      const exempt = ['down', 'completion'].includes(leaf.name())
      if (!exempt)
        expect(
          leaf.options.map((option) => option.long),
          leaf.name(),
        ).toContain('--json')
    }
  })

  test('says its version', async () => {
    let said = ''
    const program = (await commandTree(undefined)).configureOutput({ writeOut: (text) => (said += text) })
    const ended = await program.parseAsync(['--version'], { from: 'user' }).catch((error) => error)
    expect(exitCodeOf(ended)).toBe(0)
    expect(said).toBe(`${version}\n`)
  })

  test('takes common options before the command too', () => {
    expect(readCommandLine(['--home', '/h', '--json', 'data', 'ls', '/'])).toEqual({
      noun: 'data',
      words: ['data', 'ls', '/', '--json'],
      environment: { KUMI_HOME: '/h' },
    })
    expect(readCommandLine(['--server=https://x', 'data', 'put', '--', '-f']).words).toEqual([
      'data',
      'put',
      '--',
      '-f',
    ])
    expect(readCommandLine(['--help']).noun).toBeUndefined()
  })
})

describe('completion', () => {
  test('offers the words of the tree in bash', async () => {
    const script = completionScript(await commandTree('all'), 'bash')
    const complete = (...words: string[]) => {
      const quoted = words.map((word) => `'${word}'`).join(' ')
      const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _kumi; echo "\${COMPREPLY[@]}"`
      return execFileSync('bash', ['-c', `${script}\n${ask}`], { encoding: 'utf8' })
        .trim()
        .split(/\s+/)
    }
    expect(complete('kumi', 'da')).toEqual(['data'])
    expect(complete('kumi', 'rule', '')).toContain('explain')
    expect(complete('kumi', 'data', 'put', '--ds', 'x', '--da')).toEqual(['--dataset'])
    expect(complete('kumi', 'software', 'mirror', 'add', 'x', '--u')).toEqual(['--url'])
  })

  test('names every command in zsh and fish', async () => {
    const tree = await commandTree('all')
    for (const path of completionWords(tree).keys())
      for (const word of path.split(' ')) {
        expect(completionScript(tree, 'zsh')).toContain(word)
        expect(completionScript(tree, 'fish')).toContain(word)
      }
  })
})

describe('an outcome', () => {
  test('has its exit status by kind', () => {
    expect(exitCodeOf(defineError('denied', 'x')('no'))).toBe(3)
    expect(exitCodeOf(defineError('missing', 'x')('no'))).toBe(4)
    expect(exitCodeOf(defineError('invalid', 'x')('no'))).toBe(2)
    expect(exitCodeOf(new Error('no'))).toBe(1)
    expect(exitCodeOf(partial('half'))).toBe(5)
  })

  test('is one sentence and a hint, with the stack only on request', () => {
    const error = defineError('unauthenticated', 'x')('You are not logged in.')
    expect(describeFailure(error, {})).toBe('kumi: You are not logged in.\n      Log in with: kumi login')
    expect(describeFailure(error, { KUMI_DEBUG: '1' })).toContain('tree.test.ts')
  })
})

describe('what people read', () => {
  test('is short', () => {
    expect([0, 999, 1000, 27_000_000, 999_600, 123_456].map((n) => bytesText(n))).toEqual([
      '0 B',
      '999 B',
      '1.00 kB',
      '27.0 MB',
      '1.00 MB',
      '123 kB',
    ])
    expect([45, 180, 7200, 7800].map(spanText)).toEqual(['45 s', '3 min', '2 h', '2 h 10 min'])
    const columns = [
      { title: 'A', value: (row: string) => row },
      { title: 'N', right: true, value: (row: string) => row.length },
    ]
    expect(table(['xx', 'y\u001b'], columns)).toBe('A   N\nxx  2\ny?  2')
    // 佐藤 takes four cells of a terminal.
    expect(table(['佐藤', 'abcde'], columns)).toBe('A      N\n佐藤   2\nabcde  5')
  })

  test('fits the width of the terminal', () => {
    fc.assert(
      fc.property(
        fc.nat(1e9),
        fc.nat(1e9),
        fc.nat(1e5),
        fc.integer({ min: 10, max: 200 }),
        (a, b, seconds, columns) => {
          const line = progressLine(
            'put',
            { bytes: Math.min(a, b), files: 3 },
            { bytes: b, files: 9 },
            seconds,
            columns,
          )
          expect(line.length).toBeLessThan(columns)
        },
      ),
    )
  })

  test('is plain lines where there is no terminal, and nothing when quiet', () => {
    let time = 0
    const written: string[] = []
    const screen = { write: (text: string) => written.push(text) }
    const run = (quiet: boolean) => {
      const progress = showProgress('put', { bytes: 100, files: 10 }, { quiet, screen, now: () => time })
      for (let i = 0; i < 10; i++) {
        time += 1000
        progress.add(10, 1)
      }
      progress.done()
    }
    run(true)
    expect(written).toEqual([])
    run(false)
    expect(written).toHaveLength(2)
    expect(written[0]).toMatch(/^put .*50%.*5\/10 files.*\n$/)
    expect(written.join('')).not.toContain('\r')
  })
})
