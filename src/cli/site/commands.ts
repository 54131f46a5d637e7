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
  registerDowntimeCommands(site)
}

function registerDowntimeCommands(site: Command): void {
  const downtime = site
    .command('downtime')
    .description('times in which a site, or a storage or place of it, is away')
  withShared(downtime.command('add'))
    .description('announce one: nothing is started there that would not end before it')
    .argument('<site>')
    .option('--from <time>', 'when it begins, like 2026-12-01T09:00+09:00 (default: now)')
    .option('--until <time>', 'when it ends')
    .option('--hours <number>', 'how long it lasts, instead of --until')
    .option('--storage <rse>', 'only this storage of the site')
    .option('--place <name>', 'only this place that runs jobs')
    .option('--warning', 'it goes on working, but nobody shall be surprised')
    .requiredOption('--why <reason>', 'what those who wait shall read')
    .addHelpText('after', '\nExamples:\n  kumi site downtime add osaka --hours 4 --why "new cooling"')
    .action(async (name, options) => (await import('./downtime.ts')).addDowntime(name, options))
  withShared(downtime.command('ls'))
    .description('list downtimes: present ones and those to come')
    .option('--days <number>', 'also those that ended since so many days ago')
    .action(async (options) => (await import('./downtime.ts')).listDowntimes(options))
  withShared(downtime.command('end'))
    .description('end one now, or withdraw one that has not begun')
    .argument('<id>')
    .addHelpText('after', '\nExamples:\n  kumi site downtime end 3')
    .action(async (id, options) => (await import('./downtime.ts')).endDowntime(id, options))
}

export function registerScrubCommand(program: Command): void {
  withShared(program.command('scrub'))
    .description('let a site read its files again and compare their checksums; damaged copies are replaced')
    .argument('<site>')
    .addHelpText('after', '\nExamples:\n  kumi scrub kyoto')
    .action(async (name, options) => (await import('./sites.ts')).scrub(name, options))
}
