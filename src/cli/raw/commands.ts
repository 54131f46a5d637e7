import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

/** `kumi raw …`: raw data from the detector's disk to where it is safe. */
export function registerRawCommands(program: Command): void {
  const raw = program
    .command('raw')
    .description('raw data: from the detector to two verified copies, and what may be deleted there')
  withShared(raw.command('flow'))
    .description('say where raw data goes; without options list the flows and how far their files are')
    .argument('[name]')
    .option('--scope <scope>', 'the scope of the files')
    .option('--landing <storage>', 'where they come to from the detector')
    .option('--archive <expression>', 'storages of the class TAPE, one of which keeps every file')
    .option('--centre <expression=share>', 'where second copies go, at other sites; may be repeated', several)
    .addHelpText(
      'after',
      '\nExamples:\n  kumi raw flow\n  kumi raw flow detector --scope raw --landing KEK-DISK --archive KEK-TAPE --centre BNL-TAPE=3 --centre DESY-TAPE=1',
    )
    .action(async (name, options) => (await import('./flow.ts')).flow(name, options))
  withShared(raw.command('declare'))
    .description('declare files that the detector has written; doing it again changes nothing')
    .argument('<experiment>')
    .argument('<run>')
    .argument('[files...]', 'files, directories, patterns')
    .option('--flow <name>', 'which flow they take, where there are several')
    .option('--stream <name>', 'what they hold', 'physics')
    .option('--events <number>', 'events of each file; ROOT files are asked themselves')
    .option('--tree <name>', 'the tree that counts in ROOT files')
    .option('--total <number>', 'the run is over and has so many files')
    .option('--send', 'send them to the landing storage, too')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi raw declare 26 101 /daq/26/101 --send\n  kumi raw declare 26 101 --total 312',
    )
    .action(async (experiment, run, files, options) =>
      (await import('./declare.ts')).declare(experiment, run, files, options),
    )
  withShared(raw.command('ls'))
    .description('list runs, newest first')
    .option('--flow <name>', 'only those of a flow')
    .option('--limit <number>', 'at most so many', '50')
    .action(async (options) => (await import('./runs.ts')).ls(options))
  withShared(raw.command('show'))
    .description('a run: its files, how far they are, and why they do not go on')
    .argument('<experiment>')
    .argument('<run>')
    .option('--state <state>', 'only files in this state')
    .option('--wait', 'until all its files may be released')
    .addHelpText('after', '\nExamples:\n  kumi raw show 26 101\n  kumi raw show 26 101 --state landed')
    .action(async (experiment, run, options) => (await import('./runs.ts')).showRun(experiment, run, options))
  withShared(raw.command('release'))
    .description('ask which files may be deleted from the detector’s disk: those with two verified copies')
    .argument('<experiment>')
    .argument('<run>')
    .option('--remove <directory>', 'delete those files here whose content is what was declared')
    .addHelpText('after', '\nExamples:\n  kumi raw release 26 101 --remove /daq/26/101')
    .action(async (experiment, run, options) =>
      (await import('./release.ts')).release(experiment, run, options),
    )
}
