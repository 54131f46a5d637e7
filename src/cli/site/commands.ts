import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

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
}

export function registerScrubCommand(program: Command): void {
  withShared(program.command('scrub'))
    .description('let a site read its files again and compare their checksums; damaged copies are replaced')
    .argument('<site>')
    .addHelpText('after', '\nExamples:\n  kumi scrub kyoto')
    .action(async (name, options) => (await import('./sites.ts')).scrub(name, options))
}
