import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

/** `kumi data …`: files and datasets. */
export function registerDataCommands(program: Command): void {
  const data = program.command('data').description('store, fetch, list and find files and datasets')
  withShared(data.command('put'))
    .description('store files and register them; repeating it continues an interrupted put')
    .argument('<files...>', 'files, directories or patterns')
    .option('--rse <storage>', 'storage to write to (default: the first that takes files)')
    .option('--scope <scope>', 'scope of the names (default: user.<account>)')
    .option('--dataset <name>', 'dataset to put the files into; made when it is missing')
    .option('--meta <key=value>', 'metadata of the files and the dataset; may be repeated', several, [])
    .option('--tree <name>', 'tree whose entries are the events of a ROOT file (default: the largest)')
    .option('--concurrency <number>', 'files at the same time', '8')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi data put run7/*.root --dataset run7 --meta run_number=7\n  kumi data put /daq/run8 --rse TOKYO_DISK --scope belle --dataset raw.run8',
    )
    .action(async (files, options) => (await import('./transfer-files.ts')).put(files, options))
  withShared(data.command('get'))
    .description('fetch a file or a dataset from the nearest copies, checked against the catalogue')
    .argument('<names...>', 'scope:name')
    .option('--dir <directory>', 'where to (default: here; a dataset gets its own directory)')
    .option('--concurrency <number>', 'files at the same time', '6')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi data get belle:raw.run8\n  kumi data get belle:run8.f00001.root --dir /tmp',
    )
    .action(async (names, options) => (await import('./transfer-files.ts')).get(names, options))
  withShared(data.command('ls'))
    .description('list scopes, the names of a scope, or what a dataset holds')
    .argument('[name]', '/ for all scopes, /scope, or scope:name')
    .option('-l, --long', 'with size, checksum and copies')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi data ls /\n  kumi data ls /belle\n  kumi data ls belle:raw.run8 --long',
    )
    .action(async (name, options) => (await import('./list.ts')).ls(name, options))
  withShared(data.command('find'))
    .description('find files or datasets by their metadata')
    .argument('<conditions...>', 'such as datatype=raw or run_number>=100; all must hold')
    .option('--scope <scope>', 'scope to search (default: all)')
    .option('--type <type>', 'file, dataset, container or all', 'all')
    .option('--limit <number>', 'at most so many')
    .addHelpText('after', "\nExamples:\n  kumi data find 'run_number>=100' datatype=raw --scope belle")
    .action(async (conditions, options) => (await import('./list.ts')).find(conditions, options))
  withShared(data.command('show'))
    .description('everything known of one file or dataset')
    .argument('<name>', 'scope:name')
    .action(async (name, options) => (await import('./list.ts')).showOne(name, options))
}
