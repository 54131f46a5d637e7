import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi prod …`: what is to be made of many runs. */
export function registerProductionCommands(program: Command): void {
  const prod = program.command('prod').description('make data from many runs: define, start, watch, retry')
  withShared(prod.command('define'))
    .description('keep a production; mistakes are told with line and field')
    .argument('<definition>', 'a YAML file; the files of its programs lie beside it')
    .option('--check', 'only check it')
    .option('--group <group>', 'on whose share its jobs run')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi prod define --check mc16.yaml\n  kumi prod define mc16.yaml\n\nWhat has not started may be defined again; it is then validated anew.',
    )
    .action(async (file, options) => (await import('./define.ts')).define(file, options))
  withShared(prod.command('validate'))
    .description('say that a production may run')
    .argument('<production>')
    .option('--reject', 'say that it may not')
    .option('--why <reason>', 'what others shall read')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi prod validate MC16\n  kumi prod validate MC16 --reject --why "wrong global tag"',
    )
    .action(async (name, options) => (await import('./orders.ts')).validate(name, options))
  for (const [name, what] of [
    ['start', 'start, or go on after holding or trouble'],
    ['hold', 'make no more tasks and start no more jobs; what runs goes on'],
    ['retry', 'try failed tasks again'],
    ['finish', 'take no new inputs, and complete when all is done'],
    ['cancel', 'stop for good; what was verified stays'],
  ] as const) {
    withShared(prod.command(name))
      .description(what)
      .argument('<production>')
      .option('--why <reason>', 'what others shall read')
      .addHelpText('after', `\nExamples:\n  kumi prod ${name} MC16`)
      .action(async (production, options) => (await import('./orders.ts')).order(name, production, options))
  }
  withShared(prod.command('extend'))
    .description('more events, or more runs; the numbers are new totals')
    .argument('<production>')
    .argument('<cells>', 'a YAML file with cells; the definition itself with a longer table will do')
    .addHelpText('after', '\nExamples:\n  kumi prod extend MC16 more-runs.yaml')
    .action(async (name, file, options) => (await import('./define.ts')).extend(name, file, options))
  withShared(prod.command('ls'))
    .description('list productions, newest first')
    .option('--limit <number>', 'at most so many', '50')
    .action(async (options) => (await import('./show.ts')).ls(options))
  withShared(prod.command('show'))
    .description('a production: its states, its steps, what failed and why')
    .argument('<production>')
    .option('--tasks <state>', 'its tasks that are ready, submitted, verified or failed')
    .option('--source', 'as it was written')
    .option('--wait', 'tell its progress until it is completed, in trouble, held or cancelled')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi prod show MC16 --wait\n  kumi prod show MC16 --tasks failed --json',
    )
    .action(async (name, options) => (await import('./show.ts')).showProduction(name, options))
}

/** `kumi lineage`: from a file back to its runs. */
export function registerLineageCommand(program: Command): void {
  withShared(program.command('lineage'))
    .description('how a file came to be: production, job, release, conditions, and the same of its inputs')
    .argument('<name>', 'scope:name of a file')
    .option('--depth <number>', 'generations to go back', '5')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi lineage mc:merged_000000017_01.root\n  kumi lineage mc:merged_000000017_01.root --json',
    )
    .action(async (name, options) => (await import('./lineage.ts')).lineage(name, options))
}

/** `kumi reproduce`: the same again, on this machine. */
export function registerReproduceCommand(program: Command): void {
  withShared(program.command('reproduce'))
    .description(
      'make a file again from its recipe, in a directory of this machine, and compare it with the catalogue',
    )
    .argument('<name>', 'scope:name of a file that a job made')
    .option('--print', 'only print the recipe')
    .option('--dir <directory>', 'where to work; it must not exist yet', 'reproduced')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi reproduce mc:mdst_000000017_01.root --print\n  kumi reproduce mc:mdst_000000017_01.root --dir again\n\nThe program runs as you, apart from your files where bubblewrap works. Inputs that were given up are made again first.',
    )
    .action(async (name, options) => (await import('../reproduce/reproduce.ts')).reproduce(name, options))
}
