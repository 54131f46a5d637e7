import { resolve } from 'node:path'
import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

const REPOSITORY = 'such as koto.example.org'
const RELEASE = 'a repository, and behind @ a tag, #revision or root hash; the newest without'

/** `kumi software …`: publish a release once, use it everywhere. */
export function registerSoftwareCommands(program: Command): void {
  const software = program.command('software').description('releases as repositories of CVMFS')
  registerPublishing(software)
  registerApproval(software)
  registerReading(software)
  registerCare(software)
  registerMirrors(software)
}

function registerPublishing(software: Command): void {
  withShared(software.command('create'))
    .description('make a repository with its keys')
    .argument('<repository>', REPOSITORY)
    .option('--title <text>', 'what it is for')
    .option('--algorithm <name>', 'shake128 or sha1, how content is named', 'shake128')
    .option('--master-key <file>', 'public key in PEM: you keep the master key yourself and sign whitelists')
    .addHelpText('after', '\nExamples:\n  kumi software create koto.example.org --title "KOTO software"')
    .action(async (name, options) => (await import('./manage.ts')).create(name, options))
  withShared(software.command('publish'))
    .description(
      'make a repository, or a directory of it, what a local directory is; costs only what changed',
    )
    .argument('<directory>')
    .option('--repo <repository>', 'where to; the only one when there is one')
    .option('--to <path>', 'directory of the repository', '/')
    .option('--tag <name>', 'name the new revision')
    .option('--description <text>', 'of the tag')
    .option('--exclude <name>', 'files and directories of this name are left out; several times', several)
    .option('--xattrs', 'with extended attributes: user.* and capabilities; needs getfattr')
    .option('--no-cache', 'read every file, even those that look as they did last time')
    .option('--wait', 'where it needs approval: until it is decided')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software publish ./release-08 --to /releases/08 --tag release-08\n  kumi software publish . --repo koto.example.org --exclude .git',
    )
    .action(async (directory, options) => {
      const { beginLook } = await import('../../software/local/look.ts')
      const exclude = new Set<string>(options.exclude)
      const look = beginLook(resolve(directory), exclude)
      await (await import('./publish.ts')).publish(directory, { ...options, exclude }, look)
    })
  withShared(software.command('ingest-image'))
    .description('make a directory of a repository what a container image is')
    .argument('<image>', 'OCI layout, a directory or an archive of one; or an archive of docker save')
    .option('--repo <repository>', 'where to; the only one when there is one')
    .option('--path <path>', 'directory of the repository', '/')
    .option('--tag <name>', 'name the new revision')
    .option('--description <text>', 'of the tag')
    .option('--image <name>', 'which one, when there are several: its name or digest')
    .option('--platform <platform>', 'for which machines, such as linux/amd64')
    .option('--no-cache', 'read every file, even those of layers that were published last time')
    .option('--wait', 'where it needs approval: until it is decided')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software ingest-image debian.tar --path /images/debian-12 --tag debian-12\n  skopeo copy docker://debian:12 oci:debian && kumi software ingest-image ./debian --path /images/debian-12',
    )
    .action(async (image, options) => (await import('./ingest-image.ts')).ingestImage(image, options))
  withShared(software.command('cancel'))
    .description('give a publication up that somebody began and does not finish')
    .argument('<publication>')
    .action(async (id, options) => (await import('./manage.ts')).cancel(id, options))
  withShared(software.command('tag'))
    .description('name a revision, or take a name away')
    .argument('<repository>', REPOSITORY)
    .argument('<tag>')
    .option('--revision <number>', 'which one; the newest when absent')
    .option('--description <text>', 'what it is')
    .option('--delete', 'take the name away')
    .addHelpText('after', '\nExamples:\n  kumi software tag koto.example.org stable --revision 12')
    .action(async (name, tag, options) => (await import('./manage.ts')).tag(name, tag, options))
  withShared(software.command('rollback'))
    .description('publish an earlier tree again, as the next revision')
    .argument('<repository>', REPOSITORY)
    .argument('<tag>', 'a tag or #revision')
    .addHelpText(
      'after',
      "\nExamples:\n  kumi software rollback koto.example.org release-07\n  kumi software rollback koto.example.org '#12'",
    )
    .action(async (name, to, options) => (await import('./manage.ts')).rollback(name, to, options))
}

function registerApproval(software: Command): void {
  withShared(software.command('approval'))
    .description('where somebody else has to approve what is published; "on" and "off" change it')
    .argument('<repository>', REPOSITORY)
    .argument('[change]', 'on or off')
    .option('--path <path>', 'directory of the repository', '/')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software approval koto.example.org\n  kumi software approval koto.example.org on --path /releases',
    )
    .action(async (name, change, options) => (await import('./proposals.ts')).approval(name, change, options))
  withShared(software.command('proposals'))
    .description('what waits for somebody who approves it')
    .argument('[repository]', REPOSITORY)
    .option('--all', 'also those that are over')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software proposals\n  kumi software proposals koto.example.org --all',
    )
    .action(async (name, options) => (await import('./proposals.ts')).proposals(name, options))
  withShared(software.command('proposal'))
    .description('what a proposal changes, who made it, and what became of it')
    .argument('<id>')
    .action(async (id, options) => (await import('./proposals.ts')).showProposal(id, options))
  withShared(software.command('approve'))
    .description('let what somebody else proposed be published')
    .argument('<id>', 'of the proposal')
    .action(async (id, options) => (await import('./proposals.ts')).approve(id, options))
  withShared(software.command('reject'))
    .description('turn down what somebody else proposed')
    .argument('<id>', 'of the proposal')
    .requiredOption('--reason <text>', 'why; the person reads it')
    .action(async (id, options) => (await import('./proposals.ts')).reject(id, options))
  withShared(software.command('withdraw'))
    .description('take back what you proposed')
    .argument('<id>', 'of the proposal')
    .action(async (id, options) => (await import('./proposals.ts')).withdraw(id, options))
}

function withSource(command: Command): Command {
  return withShared(command)
    .option('--url <address>', 'of a repository elsewhere: https://host/cvmfs/name')
    .option('--key <file>', 'its public master key; asked of the grid when absent')
}

function registerReading(software: Command): void {
  withSource(software.command('get'))
    .description('make a directory of a release: verified, in parallel, only what is not here yet')
    .argument('<release>', RELEASE)
    .argument('<directory>')
    .option('--path <path>', 'only this directory of it')
    .option(
      '--store <directory>',
      'where files are kept once for all trees (default: ~/.cache/kumi/software)',
    )
    .option('--copy', 'files of your own, writable, instead of links into the store')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software get koto.example.org@release-08 ./koto\n  kumi software get koto.example.org ./current --path /releases/08',
    )
    .action(async (release, directory, options) =>
      (await import('./get.ts')).get(release, directory, options),
    )
  withSource(software.command('run'))
    .description('run a command that sees a release at /cvmfs/<repository>')
    .argument('<release>', RELEASE)
    .argument('<command...>')
    .option(
      '--store <directory>',
      'where files are kept once for all trees (default: ~/.cache/kumi/software)',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software run koto.example.org@release-08 -- /cvmfs/koto.example.org/releases/08/bin/reco',
    )
    .action(async (release, command, options) => (await import('./get.ts')).run(release, command, options))
  software
    .command('clean')
    .description('remove what this machine keeps of releases and nobody used for long')
    .option('--unused-for <days>', 'so long; 0: all that no directory elsewhere shares', '30')
    .option('--store <directory>', 'what get and run were given (default: ~/.cache/kumi/software)')
    .option('--dry-run', 'only say what would go')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software clean --dry-run\n  kumi software clean --unused-for 7',
    )
    .action(async (options) => (await import('./clean.ts')).clean(options))
  withSource(software.command('ls'))
    .description('list a directory of a release')
    .argument('<release>', RELEASE)
    .argument('[path]', 'directory of it', '/')
    .addHelpText('after', '\nExamples:\n  kumi software ls koto.example.org@release-08 /releases')
    .action(async (release, path, options) => (await import('./look.ts')).list(release, path, options))
  withSource(software.command('diff'))
    .description('what differs between two revisions')
    .argument('<release>', RELEASE)
    .argument('<other>', 'tag, #revision or root hash of the same repository')
    .addHelpText('after', '\nExamples:\n  kumi software diff koto.example.org@release-07 release-08')
    .action(async (release, other, options) => (await import('./look.ts')).diff(release, other, options))
  withSource(software.command('check'))
    .description('read everything and compare it with its signatures, hashes and counts')
    .argument('<release>', RELEASE)
    .option('--no-data', 'catalogues only, no files')
    .addHelpText('after', '\nExamples:\n  kumi software check koto.example.org')
    .action(async (release, options) => (await import('./look.ts')).check(release, options))
}

function registerCare(software: Command): void {
  withShared(software.command('repositories'))
    .description('list repositories')
    .action(async (options) => (await import('./manage.ts')).repositories(options))
  withShared(software.command('show'))
    .description('a repository: tags, revisions, keys, space')
    .argument('<repository>', REPOSITORY)
    .action(async (name, options) => (await import('./manage.ts')).showRepository(name, options))
  withShared(software.command('gc'))
    .description('give up untagged revisions but the newest, and what only they used')
    .argument('<repository>', REPOSITORY)
    .requiredOption('--keep <number>', 'so many of the newest stay')
    .option('--dry-run', 'only say what would go')
    .addHelpText('after', '\nExamples:\n  kumi software gc koto.example.org --keep 5 --dry-run')
    .action(async (name, options) => (await import('./manage.ts')).collect(name, options))
  withShared(software.command('client-config'))
    .description('files that let the client of CVMFS mount a repository')
    .argument('<repository>', REPOSITORY)
    .option('--proxy <text>', 'caches between, as CVMFS_HTTP_PROXY has them', 'DIRECT')
    .option('--site <name>', 'ask the gateway of this site first; several times, in their order', several)
    .option('--output <directory>', 'write the files below it; "/" on the machine itself')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software client-config koto.example.org --site osaka --output /',
    )
    .action(async (name, options) => (await import('./manage.ts')).clientConfig(name, options))
  withShared(software.command('rotate-key'))
    .description('sign with a new key from now on')
    .argument('<repository>', REPOSITORY)
    .action(async (name, options) => (await import('./manage.ts')).rotateKey(name, options))
  withShared(software.command('whitelist'))
    .description('for a master key that you keep yourself: what to sign, and bringing it signed')
    .argument('<repository>', REPOSITORY)
    .option('--signed <file>', 'a whitelist with its signature')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software whitelist koto.example.org > body\n  kumi software whitelist koto.example.org --signed whitelist',
    )
    .action(async (name, options) => (await import('./manage.ts')).whitelist(name, options))
}

function registerMirrors(software: Command): void {
  const mirror = software.command('mirror').description('repositories of others, served here, too')
  withShared(mirror.command('add'))
    .description('serve a repository of others: verified, fetched when somebody asks for it, and kept')
    .argument('<repository>', 'such as atlas.cern.ch')
    .requiredOption(
      '--url <address>',
      'http://host/cvmfs/name, also with @fqrn@; several times, the preferred first',
      several,
    )
    .requiredOption('--key <file>', 'its public master keys in PEM')
    .option('--title <text>', 'what it is')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi software mirror add atlas.cern.ch --url http://cvmfs-stratum-one.cern.ch/cvmfs/@fqrn@ --key cern.pub',
    )
    .action(async (name, options) => (await import('./mirror.ts')).addMirror(name, options))
  withShared(mirror.command('ls'))
    .description('list mirrors: what they are verified to be, and how much of them is here')
    .action(async (options) => (await import('./mirror.ts')).listMirrors(options))
  withShared(mirror.command('sync'))
    .description('copy all of a mirror, now and whenever it changes')
    .argument('<repository>', REPOSITORY)
    .action(async (name, options) => (await import('./mirror.ts')).syncMirror(name, options))
  withShared(mirror.command('rm'))
    .description('serve a mirror no more, and remove what is here of it')
    .argument('<repository>', REPOSITORY)
    .action(async (name, options) => (await import('./mirror.ts')).removeMirror(name, options))
}
