import type { Command } from 'commander'

/** `kumi up|down|start|status|env|doctor`: the grid of a home directory as a whole. */
export function registerGridCommands(program: Command): void {
  program
    .command('start')
    .description('start the demo grid, run the main job once, stay up until Ctrl-C')
    .option('--once', 'stop everything after the main job')
    .option('--json', 'print one JSON summary as the last line')
    .option('--home <directory>', 'home of the grid (default: $KUMI_HOME or ~/.kumi)')
    .option('--port <number>', 'first of ten ports (default: 7450 or the next free ones)')
    .action(async (options) => (await import('./start.ts')).start(options))

  program
    .command('up')
    .description('start the grid of a home directory')
    .option('--home <directory>', 'home of the grid (default: $KUMI_HOME or ~/.kumi)')
    .option('--port <number>', 'first of ten ports (default: 7450 or the next free ones)')
    .option('--detach', 'return when the grid is ready; it goes on in the background')
    .option('--empty', 'without the three demo sites')
    .option('--json', 'print facts as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi up --detach\n  kumi up --home /srv/grid --port 8400 --empty\n' +
        '  KUMI_LOG_LEVEL=debug kumi up\n\nSettings of the server come from the environment: docs/operate/settings.md',
    )
    .action(async (options) => (await import('./up.ts')).up(options))

  program
    .command('down')
    .description('stop the grid of a home directory')
    .option('--home <directory>', 'home of the grid')
    .option('--purge', 'also remove the home directory with all its data')
    .action(async (options) => (await import('./down.ts')).down(options))

  program
    .command('status')
    .description('what runs, what does not, and why')
    .option('--home <directory>', 'home of the grid')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./status.ts')).status(options))

  program
    .command('env')
    .description('shell exports for kumi and for the foreign clients: eval "$(kumi env)"')
    .option('--home <directory>', 'home of the grid')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./env.ts')).env(options))

  program
    .command('doctor')
    .description('check the machine and the grid, and say how to mend what is wrong')
    .option('--home <directory>', 'home of the grid')
    .option('--json', 'print JSON')
    .action(async (options) => (await import('./doctor.ts')).doctor(options))
}
