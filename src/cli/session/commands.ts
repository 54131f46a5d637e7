import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi login|logout|whoami|token`. */
export function registerSessionCommands(program: Command): void {
  withShared(program.command('login'))
    .description('log in and keep the token in the home directory')
    .argument('[username]', 'user name (default: $USER)')
    .option('--vo <name>', 'collaboration (default: that of the grid)')
    .option('--token-file <file>', 'where to keep the token instead')
    .option('--password-file <file>', 'read the password from a file')
    .addHelpText('after', '\nExamples:\n  kumi login mika\n  kumi login mika --password-file secret.txt')
    .action(async (username, options) => (await import('./login.ts')).login(username, options))
  withShared(program.command('logout'))
    .description('forget the token')
    .option('--token-file <file>', 'file of the token')
    .action(async (options) => (await import('./login.ts')).logout(options))
  withShared(program.command('whoami'))
    .description('which account the server takes you for')
    .action(async (options) => (await import('./whoami.ts')).whoami(options))
  withShared(program.command('token'))
    .description('what the token in use says')
    .option('--raw', 'print the token itself, for other programs')
    .action(async (options) => (await import('./whoami.ts')).token(options))
}
