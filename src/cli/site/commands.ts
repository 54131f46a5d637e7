import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'
import { placeKinds } from './kinds.ts'

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
  const add = withShared(site.command('add'))
    .description('add a site with a batch system, or change how it is reached')
    .argument('<name>')
    .requiredOption('--through <site>', 'the site whose gateway goes there')
    .option('--node <path>', 'Node of the place; sent along when absent')
    .option('--poll <seconds>', 'how often the batch system is asked', '20')
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
    .action(async (name, options) => (await import('./add.ts')).addSite(name, options))
  const kinds = Object.values(placeKinds)
  for (const { flag, help, heading, options } of kinds) options(add.optionsGroup(heading).option(flag, help))
  add.addHelpText('after', `\nExamples:\n${kinds.map(({ example }) => `  ${example}`).join('\n')}`)
  withShared(site.command('test'))
    .description('go the way to a site step by step: login, batch system, submission, pilot, storage')
    .argument('<name>')
    .option('--minutes <number>', 'how long the job may take', '10')
    .addHelpText('after', '\nExamples:\n  kumi site test nagoya')
    .action(async (name, options) => (await import('./test.ts')).testSite(name, options))
  registerDowntimeCommands(site)
  registerHoldCommands(site)
}

function registerHoldCommands(site: Command): void {
  for (const [name, what, more] of [
    [
      'exclude',
      'start no pilots at a site until a time, whatever the machine thinks',
      ' --hours 4 --reason "wrong checksums"',
    ],
    [
      'throttle',
      'start only a tenth of the pilots at a site until a time',
      ' --until 2026-12-01T18:00+09:00 --reason "slow disk"',
    ],
    [
      'keep',
      'start as many pilots as usual, whatever the machine thinks, until a time',
      ' --hours 8 --reason "tests by the site"',
    ],
  ] as const) {
    withShared(site.command(name))
      .description(what)
      .argument('<site>')
      .requiredOption('--reason <text>', 'what those who wait for the site shall read')
      .option('--until <time>', 'when it ends, at most 30 days ahead')
      .option('--hours <number>', 'how long it lasts, instead of --until')
      .option('--place <name>', 'only this place that runs jobs')
      .addHelpText('after', `\nExamples:\n  kumi site ${name} osaka${more}`)
      .action(async (of, options) => (await import('./hold.ts')).holdSite(name, of, options))
  }
  withShared(site.command('free'))
    .description('end what was decided about a site: the machine judges it again')
    .argument('<site>')
    .option('--place <name>', 'only what was decided about this place')
    .addHelpText('after', '\nExamples:\n  kumi site free osaka')
    .action(async (of, options) => (await import('./hold.ts')).holdSite('free', of, options))
  withShared(site.command('held'))
    .description('list sites and places about which somebody, or the machine, decided, until when and why')
    .action(async (options) => (await import('./hold.ts')).listHeld(options))
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
