import { Command } from 'commander'
import { version } from '../version.ts'
import { registerGridCommands } from './grid/commands.ts'
import { exitCodes } from './outcome.ts'

/** A noun whose commands are read from disk only when they are used. */
interface Noun {
  readonly names: readonly string[]
  readonly summaries: readonly string[]
  register(program: Command): Promise<void>
}

const nouns: readonly Noun[] = [
  {
    names: ['login', 'logout', 'whoami', 'token'],
    summaries: [
      'log in and stay logged in',
      'give the login back and forget it',
      'which account the server takes you for',
      'what the token in use says, or a token for one purpose',
    ],
    register: async (program) => (await import('./session/commands.ts')).registerSessionCommands(program),
  },
  {
    names: ['data'],
    summaries: ['store, fetch, list and find files and datasets'],
    register: async (program) => (await import('./data/commands.ts')).registerDataCommands(program),
  },
  {
    names: ['job'],
    summaries: ['run programs at the sites, near their data'],
    register: async (program) => (await import('./job/commands.ts')).registerJobCommands(program),
  },
  {
    names: ['prod', 'lineage', 'reproduce'],
    summaries: [
      'make data from many runs: define, start, watch, retry',
      'how a file came to be: production, job, release, conditions, and the same of its inputs',
      'make a file again from its recipe, here, and compare',
    ],
    register: async (program) => {
      const commands = await import('./production/commands.ts')
      commands.registerProductionCommands(program)
      commands.registerLineageCommand(program)
      commands.registerReproduceCommand(program)
    },
  },
  {
    names: ['raw'],
    summaries: ['raw data: from the detector to two verified copies, and what may be deleted there'],
    register: async (program) => (await import('./raw/commands.ts')).registerRawCommands(program),
  },
  {
    names: ['demo'],
    summaries: ['examples that compute: from collisions to a plot'],
    register: async (program) => (await import('./demo/commands.ts')).registerDemoCommands(program),
  },
  {
    names: ['rule'],
    summaries: ['say how many copies of data to keep, and where'],
    register: async (program) => (await import('./rule/commands.ts')).registerRuleCommands(program),
  },
  {
    names: ['site'],
    summaries: ['the sites of the grid'],
    register: async (program) => (await import('./site/commands.ts')).registerSiteCommands(program),
  },
  {
    names: ['card'],
    summaries: ['what is wrong with the grid, by cause'],
    register: async (program) => (await import('./card/commands.ts')).registerCardCommands(program),
  },
  {
    names: ['shift'],
    summaries: ['who watches the grid, the log, and the handover'],
    register: async (program) => (await import('./shift/commands.ts')).registerShiftCommands(program),
  },
  {
    names: ['rse'],
    summaries: ['the storages'],
    register: async (program) => (await import('./rse/commands.ts')).registerRseCommands(program),
  },
  {
    names: ['transfer'],
    summaries: ['what moves between storages'],
    register: async (program) => (await import('./transfer/commands.ts')).registerTransferCommands(program),
  },
  {
    names: ['access'],
    summaries: ['who may do what, and why'],
    register: async (program) => (await import('./access/commands.ts')).registerAccessCommands(program),
  },
  {
    names: ['trust'],
    summaries: ['token issuers of other organisations'],
    register: async (program) => (await import('./trust/commands.ts')).registerTrustCommands(program),
  },
  {
    names: ['people'],
    summaries: ['who belongs to the collaboration, and who would like to'],
    register: async (program) => (await import('./people/commands.ts')).registerPeopleCommands(program),
  },
  {
    names: ['group'],
    summaries: ['groups and roles, their members and requests'],
    register: async (program) => (await import('./group/commands.ts')).registerGroupCommands(program),
  },
  {
    names: ['policy'],
    summaries: ['the usage policy that everybody signs'],
    register: async (program) => (await import('./policy/commands.ts')).registerPolicyCommands(program),
  },
  {
    names: ['audit'],
    summaries: ['who did what to whom'],
    register: async (program) => (await import('./audit/commands.ts')).registerAuditCommands(program),
  },
  {
    names: ['proxy', 'cert'],
    summaries: ['proxy certificates for grid clients', 'the certificates of people'],
    register: async (program) =>
      (await import('./certificate/commands.ts')).registerCertificateCommands(program),
  },
  {
    names: ['scrub'],
    summaries: ['let a site read its files again and compare their checksums'],
    register: async (program) => (await import('./site/commands.ts')).registerScrubCommand(program),
  },
  {
    names: ['software'],
    summaries: ['releases as repositories of CVMFS'],
    register: async (program) => (await import('./software/commands.ts')).registerSoftwareCommands(program),
  },
  {
    names: ['voms'],
    summaries: ['set up the clients of VOMS for this grid'],
    register: async (program) => (await import('./voms/commands.ts')).registerVomsCommands(program),
  },
]

/** The command tree: complete for `wanted` (or for all nouns), names and summaries for the others. */
export async function commandTree(wanted: string | 'all' | undefined): Promise<Command> {
  const program = new Command('kumi')
    .description('A research grid in one program: data, transfers, jobs, software, sites, people.')
    .version(version)
    .usage('<command> [options]')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .helpCommand(false)
    .showSuggestionAfterError()
  registerGridCommands(program)
  for (const noun of nouns) {
    if (wanted === 'all' || (wanted && noun.names.includes(wanted))) await noun.register(program)
    else for (const [i, name] of noun.names.entries()) program.command(name).description(noun.summaries[i]!)
  }
  program
    .command('completion')
    .description('print the completion script of a shell')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  source <(kumi completion bash)\n  kumi completion fish > ~/.config/fish/completions/kumi.fish',
    )
    .action(async (shell) =>
      (await import('./print-completion.ts')).printCompletion(shell, () => commandTree('all')),
    )
  program.addHelpText('after', helpText)
  for (const command of allBelow(program))
    command.exitOverride().configureOutput({ writeErr: () => undefined })
  return program
}

function allBelow(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allBelow(child)])
}

const helpText = `
Examples:
  kumi up --detach                                  start a grid on this machine
  kumi login admin                                  log in to it
  kumi data put run7/ --dataset run7                store a run as one dataset
  kumi rule add user.admin:run7 country=JP --copies 2 --wait
  kumi data get user.admin:run7                     fetch it, checked
  kumi job submit fit.sh --input user.admin:run7    run a program where the data are

Common options:
  --home <directory>   home of the grid ($KUMI_HOME, ~/.kumi)
  --server <address>   server to talk to ($KUMI_SERVER)
  --json, --quiet      results for programs; no progress

Settings of a server are environment variables: docs/operate/settings.md lists them, settings.env beside it is a sample.

Exit status:
${Object.entries(exitCodes)
  .map(([code, meaning]) => `  ${code}  ${meaning}`)
  .join('\n')}
`
