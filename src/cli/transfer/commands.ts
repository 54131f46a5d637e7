import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi transfer …`: what moves between sites. */
export function registerTransferCommands(program: Command): void {
  const transfer = program.command('transfer').description('what moves between storages')
  withShared(transfer.command('ls'))
    .description('list transfers')
    .option('--state <state>', 'only those in this state')
    .option('--limit <number>', 'at most so many', '50')
    .action(async (options) => (await import('./transfers.ts')).ls(options))
  withShared(transfer.command('show'))
    .description('everything known of one transfer')
    .argument('<id>')
    .action(async (id, options) => (await import('./transfers.ts')).showTransfer(id, options))
  withShared(transfer.command('matrix'))
    .description('rates and failures between every two storages')
    .action(async (options) => (await import('./transfers.ts')).matrix(options))
}
