import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

/** `kumi site …` and `kumi scrub`: the sites of the grid. */
export function registerSiteCommands(program: Command): void {
  const site = program.command('site').description('the sites of the grid')
  withShared(site.command('ls'))
    .description('list sites and their state')
    .action(async (options) => (await import('./sites.ts')).ls(options))
  withShared(site.command('show'))
    .description('everything known of one site')
    .argument('<name>')
    .action(async (name, options) => (await import('./sites.ts')).showSite(name, options))
  withShared(site.command('add'))
    .description('add a site with a Slurm cluster behind ssh, or change how it is reached')
    .argument('<name>')
    .requiredOption('--slurm <user@host[:port]>', 'login host of the cluster')
    .requiredOption('--through <site>', 'the site whose gateway logs in there')
    .option('--host-key <fingerprint>', 'of the login host, SHA256:…; kumi site test shows what it offers')
    .option('--partition <name>', "instead of the cluster's default")
    .option('--account <name>', 'account that pays')
    .option('--qos <name>', 'quality of service')
    .option('--directory <path>', 'shared by login host and nodes', '.kumihimo')
    .option('--node <path>', 'Node of the cluster; sent along when absent')
    .option('--poll <seconds>', 'how often Slurm is asked', '20')
    .option('--cores <number>', 'cores of a pilot', '1')
    .option('--memory <MB>', 'memory of a pilot', '4096')
    .option('--disk <MB>', 'disk of a pilot', '20480')
    .option('--hours <number>', 'the longest a pilot runs', '24')
    .option('--pilots <number>', 'at most so many', '20')
    .option('--waiting <number>', 'at most so many that wait', '5')
    .option('--platform <name>', 'of the nodes', 'x86_64')
    .option('--tag <tag>', 'what the place has (repeatable)', several)
    .option('--title <text>', 'name for people')
    .option('--country <code>', 'two letters')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi site add nagoya --slurm grid@login.nagoya.example --through kek --partition short --hours 12',
    )
    .action(async (name, options) => (await import('./add.ts')).addSite(name, options))
  withShared(site.command('test'))
    .description('go the way to a site step by step: ssh, partition, submission, pilot, storage')
    .argument('<name>')
    .option('--minutes <number>', 'how long the job may take', '10')
    .addHelpText('after', '\nExamples:\n  kumi site test nagoya')
    .action(async (name, options) => (await import('./test.ts')).testSite(name, options))
}

export function registerScrubCommand(program: Command): void {
  withShared(program.command('scrub'))
    .description('let a site read its files again and compare their checksums; damaged copies are replaced')
    .argument('<site>')
    .addHelpText('after', '\nExamples:\n  kumi scrub kyoto')
    .action(async (name, options) => (await import('./sites.ts')).scrub(name, options))
}
