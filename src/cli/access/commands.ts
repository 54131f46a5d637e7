import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi access …`: who may do what, and why. */
export function registerAccessCommands(program: Command): void {
  const access = program.command('access').description('who may do what, and why')
  withShared(access.command('explain'))
    .description('whether you, somebody else or a token may do something, and which rule or scope says so')
    .argument('<action>', 'such as placement.rule.create or storage.read; kumi access actions lists them')
    .option('--path <path>', 'what it is done to: a path in the area of the collaboration')
    .option('--url <address>', 'the same as the address of a file at a storage door')
    .option('--owner <account>', 'what it is done to: something of this account')
    .option('--account <account>', 'somebody else than you (for those who may change the policy)')
    .option('--token-file <file>', 'whoever holds the token in this file; - reads standard input')
    .option('--certificate <file or name>', 'whoever holds this certificate or proxy (PEM), or has this name')
    .addHelpText(
      'after',
      `
Examples:
  kumi access explain storage.create --path /prod/f --certificate /tmp/x509up_u1000
  kumi access explain catalog.read --certificate '/C=JP/O=Grid/CN=Mika Sato'
  kumi access explain placement.rule.delete --owner mika
  kumi access explain storage.read --url https://gateway.example.org:2443/demo/raw/run-1/f.root
  kumi access explain catalog.rse.admin --account mika
  kumi token --scope storage.read:/raw | kumi access explain storage.read --path /raw/run-1 --token-file -`,
    )
    .action(async (action, options) => (await import('./access.ts')).explain(action, options))
  withShared(access.command('actions'))
    .description('list the actions a rule can name')
    .action(async (options) => (await import('./access.ts')).actions(options))
  withShared(access.command('matrix'))
    .description('show each subject of the policy against each action')
    .action(async (options) => (await import('./access.ts')).matrix(options))
  withShared(access.command('ls'))
    .description('list the rules of the policy')
    .action(async (options) => (await import('./access.ts')).ls(options))
  withShared(access.command('rm'))
    .description('remove a rule')
    .argument('<id>')
    .action(async (id, options) => (await import('./access.ts')).remove(id, options))
  for (const effect of ['allow', 'deny'] as const) {
    withShared(access.command(effect))
      .description(
        effect === 'allow'
          ? 'add a rule that allows'
          : 'add a rule that denies; it outweighs every permission',
      )
      .argument('<subject>', 'everyone, a group (/demo/shift), an account (mika) or attribute:name[=value]')
      .argument('<action>', 'an action, a family of actions (catalog.*) or "*"')
      .option('--on <resource>', '"*", owner (own things only) or a path', '*')
      .option('--comment <text>', 'why the rule is there', '')
      .addHelpText(
        'after',
        `\nExamples:\n  kumi access ${effect} /demo/shift 'transfer.*' --comment 'shifters'`,
      )
      .action(async (subject, action, options) =>
        (await import('./access.ts')).addRule(effect, subject, action, options),
      )
  }
}
