import type { Command } from 'commander'
import { withShared } from '../common-options.ts'

/** `kumi voms …`: what the clients of VOMS need on this machine. */
export function registerVomsCommands(program: Command): void {
  const voms = program.command('voms').description('set up the clients of VOMS for this grid')
  withShared(voms.command('setup'))
    .description('install where the attribute authority answers (vomses) and how to recognise it (vomsdir)')
    .option('--dir <directory>', 'where to install (default: client/ of the home)')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi voms setup\n  kumi voms setup --dir /etc/grid-security --server https://grid.example.org:7450',
    )
    .action(async (options) => (await import('./setup.ts')).setup(options))
}
