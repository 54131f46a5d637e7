import type { Command } from 'commander'
import { several, withShared } from '../common-options.ts'

/** `kumi proxy …` and `kumi cert …`. */
export function registerCertificateCommands(program: Command): void {
  registerProxy(program.command('proxy').description('proxy certificates for grid clients'))
  registerCert(program.command('cert').description('the certificates of people'))
}

const withProxy = (command: Command): Command =>
  withShared(command)
    .option('--hours <number>', 'how long the proxy lasts (default: 12)')
    .option('--limited', 'for data only: it may not submit jobs or delegate')
    .option(
      '--voms <vo[:group or role]>',
      'put what VOMS says of you into the proxy, such as demo:/demo/Role=production; several times',
      several,
    )
    .option('--out <file>', 'where to write it (default: $X509_USER_PROXY or /tmp/x509up_u<uid>)')

const withCertificate = (command: Command): Command =>
  command
    .option('--cert <file>', 'your certificate (default: $X509_USER_CERT or ~/.globus/usercert.pem)')
    .option('--key <file>', 'its key (default: $X509_USER_KEY or ~/.globus/userkey.pem)')

function registerProxy(proxy: Command): void {
  withProxy(proxy.command('create', { isDefault: true }))
    .description('get a short-lived certificate by your login and make a proxy of it')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi proxy\n  kumi proxy --hours 4 --limited\n  kumi proxy --voms demo:/demo/Role=production',
    )
    .action(async (options) => (await import('./proxy.ts')).create(options))
  withCertificate(withProxy(proxy.command('init')))
    .description('make a proxy of a certificate of your own; without --voms no server is asked')
    .addHelpText('after', '\nExamples:\n  kumi proxy init --cert usercert.pem --key userkey.pem --hours 24')
    .action(async (options) => (await import('./proxy.ts')).init(options))
  withShared(proxy.command('info'))
    .description('what the proxy says: whose it is, of which kind, how long it lasts')
    .option('--file <file>', 'another proxy than the usual one')
    .action(async (options) => (await import('./proxy.ts')).info(options))
}

function registerCert(cert: Command): void {
  const load = () => import('./certificates.ts')
  withCertificate(withShared(cert.command('link')))
    .description('make a certificate one of yours; you show it to the server')
    .option('--label <text>', 'what you call it')
    .addHelpText(
      'after',
      '\nExamples:\n  kumi cert link\n  kumi cert link --cert usercert.pem --key userkey.pem',
    )
    .action(async (options) => (await load()).link(options))
  withShared(cert.command('ls'))
    .description('list your certificates, or those of an account')
    .argument('[account]')
    .action(async (account, options) => (await load()).ls(account, options))
  withShared(cert.command('unlink'))
    .description('let a certificate go')
    .argument('<id>')
    .action(async (id, options) => (await load()).unlink(id, options))
  withShared(cert.command('suspend'))
    .description('let nobody in by a certificate, for example because it was stolen')
    .argument('<id>')
    .requiredOption('--reason <text>', 'why; whoever uses it reads this')
    .action(async (id, options) => (await load()).suspend(id, options))
  withShared(cert.command('restore'))
    .description('let a suspended certificate count again (managers)')
    .argument('<id>')
    .action(async (id, options) => (await load()).restore(id, options))
  registerManagement(cert)
}

function registerManagement(cert: Command): void {
  const load = () => import('./certificates.ts')
  withShared(cert.command('add'))
    .description('link a certificate to an account (managers)')
    .argument('<account>')
    .argument('<file>', 'the certificate, PEM')
    .option('--label <text>', 'what it is called')
    .action(async (account, file, options) => (await load()).add(account, file, options))
  withCertificate(withShared(cert.command('request')))
    .description('ask that a certificate of another authority with your known name be recognised')
    .action(async (options) => (await load()).request(options))
  withShared(cert.command('requests'))
    .description('list those who ask (managers)')
    .option('--all', 'also those that were decided')
    .action(async (options) => (await load()).requests(options))
  for (const decision of ['approve', 'reject'] as const)
    withShared(cert.command(decision))
      .description(decision === 'approve' ? 'recognise a certificate (managers)' : 'refuse to (managers)')
      .argument('<id>')
      .option('--motivation <text>', 'why')
      .action(async (id, options) => (await load()).decide(decision, id, options))
  withShared(cert.command('issued'))
    .description('list the short-lived certificates you got, or an account got')
    .argument('[account]')
    .action(async (account, options) => (await load()).issued(account, options))
  withShared(cert.command('revoke'))
    .description('take a short-lived certificate back')
    .argument('<serial>')
    .requiredOption('--reason <text>', 'why')
    .action(async (serial, options) => (await load()).revoke(serial, options))
  withShared(cert.command('trust'))
    .description('write the authorities of the grid as a directory for grid clients (X509_CERT_DIR)')
    .requiredOption('--out <directory>', 'where to')
    .action(async (options) => (await load()).trust(options))
  withShared(cert.command('gridmap'))
    .description('print the grid-mapfile: certificate names and their accounts')
    .option('--groups', 'print the map of groups and roles instead')
    .option('--pool <name>', 'one pool for all, such as .demo')
    .action(async (options) => (await load()).gridmap(options))
  withShared(cert.command('import'))
    .description('link the names of a grid-mapfile to accounts of the same names (managers)')
    .argument('<file>')
    .option('--issuer <name>', 'the authority of all of them, when it is known')
    .action(async (file, options) => (await load()).importGridmap(file, options))
}
