import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi policy …`: the usage policy that everybody signs. */
export function registerPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('the usage policy that everybody signs')
  withShared(policy.command('show'))
    .description('the policy in force')
    .action(async (options) => (await import('./policy.ts')).showPolicy(options))
  withShared(policy.command('sign'))
    .description('sign the policy in force')
    .option('--version <number>', 'the version you read')
    .option('--for <name>', 'sign on behalf of somebody who signed on paper')
    .addHelpText('after', '\nExamples:\n  kumi policy show\n  kumi policy sign --version 3')
    .action(async (options) => (await import('./policy.ts')).sign(options))
  withShared(policy.command('publish'))
    .description('publish a policy; everybody signs it anew unless signatures are kept')
    .option('--file <file>', 'the text')
    .option('--url <address>', 'where the text is')
    .option('--description <text>', 'what changed')
    .option('--validity <days>', 'how long a signature counts; 0: for ever')
    .option('--remind <days>', 'days before that on which people are reminded, such as 30,15,1')
    .option('--keep-signatures', 'a correction of the wording: nobody has to sign again')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi policy publish --file policy.txt --validity 365 --remind 30,7,1\n  kumi policy publish --file policy.txt --keep-signatures',
    )
    .action(async (options) => (await import('./policy.ts')).publish(options))
  withShared(policy.command('ask-again'))
    .description('ask everybody to sign the policy in force again')
    .action(async (options) => (await import('./policy.ts')).askAgain(options))
  withShared(policy.command('withdraw'))
    .description('have no usage policy any more')
    .action(async (options) => (await import('./policy.ts')).withdraw(options))
}
