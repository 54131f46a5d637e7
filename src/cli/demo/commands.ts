import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi demo …`: whole examples that really compute. */
export function registerDemoCommands(program: Command): void {
  const demo = program.command('demo').description('examples that compute: from collisions to a plot')
  withShared(demo.command('physics'))
    .description('publish the software of a small experiment, run its production, fetch the plot')
    .argument('[directory]', 'where its files go, to be looked at and changed', 'physics')
    .option('--events <number>', 'collisions in each of the three runs', '1000')
    .option('--prepare', 'only write the files, and say what to do with them')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi demo physics\n  kumi demo physics ~/jpsi --events 10000\n  kumi demo physics --prepare',
    )
    .action(async (directory, options) => (await import('./physics.ts')).physics(directory, options))
}
