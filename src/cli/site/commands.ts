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
}

export function registerScrubCommand(program: Command): void {
  withShared(program.command('scrub'))
    .description('let a site read its files again and compare their checksums; damaged copies are replaced')
    .argument('<site>')
    .addHelpText('after', '\nExamples:\n  kumi scrub kyoto')
    .action(async (name, options) => (await import('./sites.ts')).scrub(name, options))
}
