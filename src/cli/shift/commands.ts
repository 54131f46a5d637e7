import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi shift …`: who watches, what they write, what they hand over. */
export function registerShiftCommands(program: Command): void {
  const shift = program.command('shift').description('who watches the grid, the log, and the handover')
  withShared(shift.command('start'))
    .description('begin your shift, as planned or unplanned')
    .option('--kind <kind>', 'DP, expert or DC', 'DP')
    .action(async (options) => (await import('./shifts.ts')).start(options))
  withShared(shift.command('show'))
    .description('who watches now, what was handed over, and what is open')
    .action(async (options) => (await import('./shifts.ts')).showShift(options))
  withShared(shift.command('log'))
    .description('read the log of the shift, or write into it')
    .argument('[text]', 'what to write; without it the log is shown')
    .option('--site <name>', 'the site it is about')
    .option('--card <id>', 'the card it is about')
    .option('--hours <number>', 'how far back the log is shown', '24')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi shift log\n  kumi shift log "asked Osaka about the gateway" --site osaka',
    )
    .action(async (text, options) => (await import('./shifts.ts')).log(text, options))
  withShared(shift.command('handover'))
    .description('end your shift; without words of yours what the grid knows is handed over')
    .argument('[text]', 'what the next one shall read')
    .option('--draft', 'only show what would be handed over')
    .action(async (text, options) => (await import('./shifts.ts')).handover(text, options))
  const roster = shift.command('roster').description('who watches when')
  withShared(roster.command('ls'))
    .description('list planned shifts')
    .option('--days <number>', 'so many days ahead', '14')
    .action(async (options) => (await import('./shifts.ts')).roster(options))
  withShared(roster.command('add'))
    .description('put somebody on the roster')
    .argument('<person>')
    .requiredOption('--from <time>', 'like 2026-12-01T09:00+09:00')
    .requiredOption('--until <time>')
    .option('--kind <kind>', 'DP, expert or DC', 'DP')
    .action(async (person, options) => (await import('./shifts.ts')).plan(person, options))
  withShared(roster.command('rm'))
    .description('take a shift that has not begun off the roster')
    .argument('<id>')
    .action(async (id, options) => (await import('./shifts.ts')).unplan(id, options))
}
