import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi card …`: what is wrong with the grid, by cause. */
export function registerCardCommands(program: Command): void {
  const card = program.command('card').description('what is wrong with the grid, by cause')
  withShared(card.command('ls'))
    .description('list open cards, newest first')
    .option('--all', 'closed ones as well')
    .action(async (options) => (await import('./cards.ts')).ls(options))
  withShared(card.command('show'))
    .description('what was found, why it is held to be the cause, and what was done')
    .argument('<id>')
    .action(async (id, options) => (await import('./cards.ts')).showCard(id, options))
  for (const [name, what, more] of [
    ['ack', 'take a card: you have seen it and look after it', ' --until 2026-12-01T18:00+09:00'],
    ['own', 'work on a card, or give it to somebody', ' --to taro'],
    ['note', 'write into the history of a card', ' "their admins know"'],
    ['close', 'say that it is over; if it is not, a new card comes', ' "disk replaced"'],
    ['retire', 'say that it is known and nothing will be done', ' "old storage, leaves in March"'],
    ['reopen', 'take a retired card back', ''],
  ] as const) {
    const command = withShared(card.command(name))
      .description(what)
      .argument('<id>')
      .argument('[text]', 'what others shall read')
      .addHelpText('after', `\nExamples:\n  kumi card ${name} 7${more}`)
    if (name === 'ack') command.option('--until <time>', 'do not remind anybody before')
    if (name === 'own') command.option('--to <person>', 'who works on it (default: you)')
    command.action(async (id, text, options) => (await import('./cards.ts')).order(name, id, text, options))
  }
}
