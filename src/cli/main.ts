import { CommanderError } from 'commander'
import { readCommandLine } from './command-line.ts'
import { describeFailure, exitCodeOf } from './outcome.ts'
import { commandTree } from './tree.ts'

const line = readCommandLine(process.argv.slice(2))
Object.assign(process.env, line.environment)
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has seen enough.
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})
try {
  const program = await commandTree(line.noun)
  if (line.words.length === 0) program.outputHelp()
  else await program.parseAsync(line.words, { from: 'user' })
} catch (error) {
  process.exitCode = exitCodeOf(error)
  if (process.exitCode !== 0) process.stderr.write(`${explain(error)}\n`)
}

function explain(error: unknown): string {
  if (!(error instanceof CommanderError)) return describeFailure(error, process.env)
  const known = error.code !== 'commander.unknownCommand' && line.noun
  const help = `See: ${['kumi', known, '--help'].filter(Boolean).join(' ')}`
  if (error.code === 'commander.help') return `kumi: a command is missing\n      ${help}`
  return `kumi: ${error.message.replace(/^error: /, '').replaceAll('\n', ' ')}\n      ${help}`
}
