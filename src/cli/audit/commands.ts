import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi audit …`: who did what. */
export function registerAuditCommands(program: Command): void {
  const audit = program.command('audit').description('who did what to whom')
  withShared(audit.command('ls'))
    .description('entries of the audit log, newest first')
    .option('--actor <name>', 'who did it')
    .option('--target <name>', 'to whom or what')
    .option('--action <name>', 'what was done, such as account.suspended or account.*')
    .option('--since <date>', 'not before')
    .option('--until <date>', 'before')
    .option('--limit <number>', 'how many', '50')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi audit ls --target mika\n  kumi audit ls --action "group.*" --since 2026-11-01',
    )
    .action(async (options) => (await import('./audit.ts')).ls(options))
  withShared(audit.command('verify'))
    .description('recompute the hashes of the whole log')
    .action(async (options) => (await import('./audit.ts')).verify(options))
}
