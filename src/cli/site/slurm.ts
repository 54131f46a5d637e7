import { badOption, type PlaceKind, whole, word } from './place-kind.ts'

/** A Slurm cluster behind ssh. */
export const slurmPlace: PlaceKind = {
  flag: '--slurm <user@host[:port]>',
  help: 'a Slurm cluster: its login host',
  heading: 'Slurm:',
  example:
    'kumi site add nagoya --slurm grid@login.nagoya.example --through kek --partition short --hours 12',
  options: (command) =>
    command
      .option('--host-key <fingerprint>', 'of the login host, SHA256:…; kumi site test shows what it offers')
      .option('--partition <name>', "instead of the cluster's default")
      .option('--account <name>', 'account that pays')
      .option('--qos <name>', 'quality of service')
      .option('--directory <path>', 'shared by login host and nodes', '.kumihimo'),
  describe(given, options) {
    const found = /^([^@\s]+)@([^@\s:]+)(?::(\d{1,5}))?$/.exec(given)
    if (!found) throw badOption(`--slurm needs user@host or user@host:port, not "${given}".`)
    return {
      ...{
        user: found[1]!,
        host: found[2]!,
        port: Number(found[3] ?? 22),
        hostKey: word(options, 'hostKey'),
      },
      ...{
        partition: word(options, 'partition'),
        account: word(options, 'account'),
        qos: word(options, 'qos'),
      },
      ...{ directory: word(options, 'directory'), node: word(options, 'node') },
      pollSeconds: whole('--poll', word(options, 'poll')),
    }
  },
}
