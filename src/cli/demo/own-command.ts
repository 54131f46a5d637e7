import { spawn } from 'node:child_process'
import { defineError } from '../../kernel/errors.ts'

const commandFailed = defineError('fatal', 'demo_failed')

/** The line that a person would type. */
export const commandLine = (words: readonly string[]): string =>
  [
    'kumi',
    ...words.map((word) => (/^[\w./@:=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)),
  ].join(' ')

export interface RunOptions {
  readonly home?: string | undefined
  readonly server?: string | undefined
  /** What it prints goes nowhere; else to the standard output, or with `json` to the standard error. */
  readonly quiet?: boolean | undefined
  readonly json?: boolean | undefined
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a command of this program as a process of its own, as a person would. Throws demo_failed. */
export async function runCommand(words: readonly string[], options: RunOptions): Promise<void> {
  const { home, server, quiet = false, json = false, env = process.env } = options
  const place = [
    ...(home ? ['--home', home] : []),
    ...(server ? ['--server', server] : []),
    ...(quiet ? ['--quiet'] : []),
  ]
  const out = quiet ? 'ignore' : json ? 2 : 'inherit'
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words, ...place], {
    ...{ env, stdio: ['ignore', out, 'inherit'] },
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', resolve)
  })
  if (code !== 0) throw commandFailed(`${commandLine(words)} ended with ${code ?? 'a signal'}.`)
}
