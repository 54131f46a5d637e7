import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`

/** `kumi people …`: who belongs to the collaboration. */
export function registerPeopleCommands(program: Command): void {
  const people = program
    .command('people')
    .description('who belongs to the collaboration, and who would like to')
  withShared(people.command('ls'))
    .description('list people')
    .argument('[text]', 'part of a name or address')
    .option('--group <path>', 'members of a group')
    .option('--inactive', 'only those who are suspended')
    .option('--services', 'also the accounts of services')
    .addHelpText('after', examples('kumi people ls sato', 'kumi people ls --group /demo/analysis --json'))
    .action(async (text, options) => (await import('./people.ts')).ls(text, options))
  withShared(people.command('show'))
    .description('profile, groups, and whether and why somebody may or may not log in')
    .argument('[name]', 'user name (default: yourself)')
    .addHelpText('after', examples('kumi people show', 'kumi people show mika'))
    .action(async (name, options) => (await import('./people.ts')).show(name, options))
  withShared(people.command('register'))
    .description('ask to become a member')
    .argument('<name>', 'user name: a-z, 0-9, "_" and "-"')
    .requiredOption('--given <name>', 'given name')
    .requiredOption('--family <name>', 'family name')
    .requiredOption('--email <address>', 'e-mail address')
    .option('--institute <name>', 'where you work')
    .option('--notes <text>', 'who knows you, what you work on')
    .option('--password-file <file>', 'read the password of the new account from a file')
    .addHelpText(
      'after',
      examples(
        'kumi people register noa --given Noa --family Watanabe --email noa@example.org --notes "with Mika"',
      ),
    )
    .action(async (name, options) => (await import('./joining.ts')).register(name, options))
  withShared(people.command('requests'))
    .description('who would like to join')
    .option('--all', 'also those that are decided')
    .action(async (options) => (await import('./joining.ts')).requests(options))
  withShared(people.command('approve'))
    .description('make somebody who registered a member')
    .argument('<name>', 'user name, or id of the request')
    .addHelpText('after', examples('kumi people approve noa'))
    .action(async (name, options) => (await import('./joining.ts')).approve(name, options))
  withShared(people.command('reject'))
    .description('turn a registration down')
    .argument('<name>', 'user name, or id of the request')
    .requiredOption('--reason <text>', 'why; the person reads it')
    .addHelpText(
      'after',
      examples('kumi people reject noa --reason "We do not know you; write to the secretary."'),
    )
    .action(async (name, options) => (await import('./joining.ts')).reject(name, options))
  for (const [verb, description] of [
    ['suspend', 'stop somebody at once and everywhere'],
    ['restore', 'take a suspension or a removal back'],
    ['remove', 'remove somebody for good; the name is never given to anybody else'],
  ] as const) {
    withShared(people.command(verb))
      .description(description)
      .argument('<name>')
      .requiredOption('--reason <text>', 'why; the person reads it, and the audit log keeps it')
      .addHelpText('after', examples(`kumi people ${verb} mika --reason "a stolen laptop"`))
      .action(async (name, options) => (await import('./people.ts')).change(verb, name, options))
  }
  withShared(people.command('password'))
    .description('change your password; all your browsers are logged out')
    .addHelpText(
      'after',
      `${examples('kumi people password')}\nWithout a terminal: the present password in the first line of the input, the new one in the second.`,
    )
    .action(async (options) => (await import('./passwords.ts')).password(options))
  withShared(people.command('reset-password'))
    .description('send somebody a link with which they set a new password')
    .argument('<name>')
    .addHelpText('after', examples('kumi people reset-password noa'))
    .action(async (name, options) => (await import('./passwords.ts')).resetPassword(name, options))
  withShared(people.command('expire'))
    .description('say when a membership ends')
    .argument('<name>')
    .requiredOption('--on <date>', 'such as 2027-03-31, or "never"')
    .addHelpText(
      'after',
      examples('kumi people expire mika --on 2027-03-31', 'kumi people expire mika --on never'),
    )
    .action(async (name, options) => (await import('./people.ts')).expire(name, options))
  withShared(people.command('endings'))
    .description('whose membership ended, and what happens to them next')
    .option('--run', 'take the steps that are due now')
    .option('--force', 'with --run: also those that wait because they are many')
    .addHelpText('after', examples('kumi people endings', 'kumi people endings --run --force'))
    .action(async (options) => (await import('./membership.ts')).endings(options))
  withShared(people.command('settings'))
    .description('how people come in and leave; changes what is given')
    .option('--open', 'anybody may register')
    .option('--closed', 'nobody may register')
    .option('--confirm-email <yes|no>', 'a registration counts only after its address was confirmed')
    .option('--default-group <path>', 'everybody joins it on approval; may be given several times', several)
    .option('--notice <days>', 'between the end of a membership and suspension')
    .option('--removal <days>', 'between suspension and the notice of removal')
    .addHelpText('after', examples('kumi people settings --open --default-group /demo/analysis'))
    .action(async (options) => (await import('./membership.ts')).settings(options))
  withShared(people.command('mails'))
    .description('what people should be told; hand it over yourself where no mail server is set up')
    .option('--limit <number>', 'how many of the newest', '20')
    .action(async (options) => (await import('./membership.ts')).mails(options))
}
