import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

/** `kumi login|logout|whoami|token`. */
export function registerSessionCommands(program: Command): void {
  withShared(program.command('login'))
    .description('log in and stay logged in')
    .argument('[username]', 'log in by password as this user')
    .option('--browser', 'confirm in a browser on this machine instead of by a code')
    .option('--code <code>', 'log in by a one-time code')
    .option('--vo <name>', 'collaboration (default: that of the grid)')
    .option('--token-file <file>', 'where to put the token instead')
    .option('--password-file <file>', 'read the password from a file')
    .addHelpText(
      'after',
      `
Without a user name you get an address and a code to enter there, in any browser.

Examples:
  kumi login
  kumi login --browser
  kumi login mika --password-file secret.txt`,
    )
    .action(async (username, options) => (await import('./login.ts')).login(username, options))
  withShared(program.command('logout'))
    .description('give the login back and forget it')
    .option('--token-file <file>', 'file of the token')
    .action(async (options) => (await import('./login.ts')).logout(options))
  withShared(program.command('whoami'))
    .description('which account the server takes you for')
    .action(async (options) => (await import('./whoami.ts')).whoami(options))
  withShared(program.command('token'))
    .description('what the token in use says, or a token for one purpose')
    .option('--scope <scope>', 'print a token for this and nothing more; may be repeated', several)
    .option('--aud <audience>', 'print a token for this service only; may be repeated', several)
    .option('--raw', 'print the token itself, for other programs')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi token\n  kumi token --scope storage.read:/raw --aud https://se.example:8443',
    )
    .action(async (options) => (await import('./whoami.ts')).token(options))
}
