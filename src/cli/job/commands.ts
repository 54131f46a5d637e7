import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

/** `kumi job …`: work for the computers of the grid. */
export function registerJobCommands(program: Command): void {
  const job = program.command('job').description('run programs at the sites, near their data')
  withShared(job.command('submit'))
    .description('submit a program, or a job description (.jdl), as one job or many')
    .argument('<program>', 'a file that goes along, a command that is at the sites, or a .jdl')
    .argument('[arguments...]', 'for the program; %n is the number of the job, %j its id')
    .option('--input <name>', 'scope:name of a file or dataset it reads (repeatable)', several)
    .option('--per-job <files>', 'one job for so many input files')
    .option('--count <jobs>', 'so many jobs, numbered from 0')
    .option(
      '--output <pattern=dataset>',
      'files that go to a dataset, such as *.root=user.mika:fit (repeatable)',
      several,
    )
    .option('--destination <storages>', 'storage expression for the outputs; else where it ran')
    .option('--with <file>', 'another file that goes along (repeatable)', several)
    .option('--sandbox <path>', 'files and directories that go along as one archive (repeatable)', several)
    .option('--send-back <name>', 'small file that comes back whatever happens (repeatable)', several)
    .option(
      '--software <release>',
      'such as koto.example.org@release-08; it sees it at /cvmfs/koto.example.org',
    )
    .option('--env <NAME=value>', 'variable of the environment (repeatable)', several)
    .option('--name <name>', 'name of the job')
    .option('--group <group>', 'on whose share it runs')
    .option('--priority <number>', '0 to 10, among your own jobs', '1')
    .option('--time <seconds>', 'the longest it may take', '3600')
    .option('--cores <number>', 'cores', '1')
    .option('--memory <MB>', 'memory', '2048')
    .option('--disk <MB>', 'disk', '2048')
    .option('--site <name>', 'only there (repeatable)', several)
    .option('--ban <name>', 'not there (repeatable)', several)
    .option('--tag <tag>', 'what the place must have (repeatable)', several)
    .option('--anywhere', 'may run where its inputs are not, and read them from afar')
    .option('--tries <number>', 'how often it may fail by itself', '1')
    .option('--wait', 'return when all are over')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi job submit fit.sh --input user.mika:run7 --per-job 10 --output "*.root=user.mika:fit" --wait\n  kumi job submit /bin/echo hello %n --count 3\n  kumi job submit analysis.jdl',
    )
    .action(async (file, words, options) => (await import('./submit.ts')).submit(file, words, options))
  withShared(job.command('ls'))
    .description('list jobs, newest first')
    .option('--all', 'those of everybody')
    .option('--status <status>', 'only these, such as Running or Failed (repeatable)', several)
    .option('--site <name>', 'only at this site')
    .option('--limit <number>', 'at most so many', '50')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi job ls --status Failed --status Killed\n  kumi job ls --all --json',
    )
    .action(async (options) => (await import('./list.ts')).ls(options))
  withShared(job.command('summary'))
    .description('count jobs by status, or by something else')
    .option('--by <column>', 'Status, Site, Owner, JobGroup … (repeatable)', several)
    .option('--all', 'those of everybody')
    .action(async (options) => (await import('./list.ts')).summary(options))
  withShared(job.command('show'))
    .description('a job: what it runs, its starts, its history, the files it made')
    .argument('<job>')
    .action(async (id, options) => (await import('./show.ts')).showJob(id, options))
  withShared(job.command('explain'))
    .description('why a job is in its state, and what would change it')
    .argument('<job>')
    .action(async (id, options) => (await import('./show.ts')).explain(id, options))
  withShared(job.command('logs'))
    .description('what a job wrote')
    .argument('<job>')
    .option('-f, --follow', 'go on until it is over')
    .option('--err', 'standard error instead of standard output')
    .option('--attempt <number>', 'of an earlier start')
    .addHelpText('after', '\nExamples:\n  kumi job logs -f 17\n  kumi job logs --err --attempt 1 17')
    .action(async (id, options) => (await import('./show.ts')).logs(id, options))
  withShared(job.command('script'))
    .description('a shell script that runs the job here: its files, inputs, environment and command')
    .argument('<job>')
    .addHelpText('after', '\nExamples:\n  kumi job script 17 > job-17.sh\n  sh job-17.sh')
    .action(async (id, options) => (await import('./show.ts')).script(id, options))
  withShared(job.command('wait'))
    .description('return when jobs are over; fails when one of them did not succeed')
    .argument('<jobs...>')
    .action(async (ids, options) => (await import('./submit.ts')).wait(ids, options))
  withShared(job.command('get'))
    .description('fetch the files that jobs made, checked')
    .argument('<jobs...>')
    .option('--to <directory>', 'where to', '.')
    .action(async (ids, options) => (await import('./show.ts')).get(ids, options))
  withShared(job.command('sandbox'))
    .description('fetch the small files that a job sent back')
    .argument('<job>')
    .option('--to <directory>', 'where to', '.')
    .option('--input', 'what it was sent instead')
    .addHelpText('after', '\nExamples:\n  kumi job sandbox 17 --to logs-17')
    .action(async (id, options) => (await import('./sandbox.ts')).fetchSandbox(id, options))
  for (const [name, what] of [
    ['kill', 'kill jobs'],
    ['rerun', 'run jobs again from the beginning, under the same numbers'],
    ['hold', 'keep waiting jobs from being started'],
    ['release', 'let held jobs wait again'],
    ['delete', 'take jobs out of sight'],
  ] as const) {
    withShared(job.command(name))
      .description(what)
      .argument('<jobs...>')
      .action(async (ids, options) => (await import('./orders.ts')).order(name, ids, options))
  }
  withShared(job.command('lineage'))
    .description('which start of which job made a file, from what')
    .argument('<name>', 'scope:name')
    .action(async (name, options) => (await import('./show.ts')).lineage(name, options))
}
