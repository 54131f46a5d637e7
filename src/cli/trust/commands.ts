import { type Command, Option } from 'commander'
import { withShared } from '../common-options.ts'

const repeated = (value: string, before: readonly string[]): readonly string[] => [...before, value]

/** `kumi trust …`: token issuers of others, and the keys of our own. */
export function registerTrustCommands(program: Command): void {
  const trust = program
    .command('trust')
    .description('token issuers of other organisations, and the keys of this one')
  withShared(trust.command('add'))
    .description('let tokens of another issuer in, with a directory and nothing else')
    .argument('<issuer>', 'its address exactly as its tokens write it (iss), also with its slash at the end')
    .requiredOption(
      '--path <directory>',
      'where its storage scopes begin: /x of its tokens is <directory>/x here',
    )
    .option('--audience <text>', 'an audience to accept besides our own addresses; repeat it', repeated, [])
    .option('--map <subject=account>', 'whom one of its subjects stands for here; repeat it', repeated, [])
    .option('--name <name>', 'first part of its groups here; its host name unless given')
    .option('--calls-itself <issuer>', 'what its discovery document says instead, such as with a slash more')
    .option('--comment <text>', 'why', '')
    .addHelpText(
      'after',
      `
Examples:
  kumi trust add https://iam.example.org/ --path /data/foreign
  kumi trust add https://iam.example.org/ --path /data/foreign --map 0f6a…=mika \\
    --audience https://wlcg.cern.ch/jwt/v1/any
  kumi access allow /iam.example.org/atlas catalog.read --comment 'its group /atlas may look'`,
    )
    .action(async (issuer, options) => (await import('./trust.ts')).add(issuer, options))
  withShared(trust.command('ls'))
    .description('list them, with the state of their keys')
    .action(async (options) => (await import('./trust.ts')).ls(options))
  withShared(trust.command('rm'))
    .description('trust an issuer no more')
    .argument('<issuer>', 'its address or its number')
    .action(async (issuer, options) => (await import('./trust.ts')).remove(issuer, options))
  withShared(trust.command('keys'))
    .description('list the keys that sign tokens here, or choose the algorithm of the next one')
    .addOption(
      new Option(
        '--algorithm <name>',
        'sign with it as soon as its key has been published for four days',
      ).choices(['ES256', 'RS256']),
    )
    .addHelpText(
      'after',
      `
Examples:
  kumi trust keys
  kumi trust keys --algorithm RS256   # ARC 6 and old Java verifiers read no other`,
    )
    .action(async (options) => (await import('./keys.ts')).keys(options))
}
