import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi rse …`: storages as rules and transfers see them. */
export function registerRseCommands(program: Command): void {
  const rse = program.command('rse').description('the storages')
  withShared(rse.command('ls'))
    .description('list storages')
    .argument('[expression]', 'only those it names, such as country=JP')
    .action(async (expression, options) => (await import('./rses.ts')).ls(expression, options))
  withShared(rse.command('show'))
    .description('attributes, addresses and usage of one storage')
    .argument('<name>')
    .action(async (name, options) => (await import('./rses.ts')).showRse(name, options))
}
