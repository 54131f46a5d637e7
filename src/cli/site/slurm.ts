import { loginOf } from './login-place.ts'
import { type PlaceKind, word } from './place-kind.ts'

/** A Slurm cluster behind ssh. What all kinds behind ssh are asked is asked here. */
export const slurmPlace: PlaceKind = {
  flag: '--slurm <user@host[:port]>',
  help: 'a Slurm cluster: its login host',
  heading: 'Slurm and HTCondor, by ssh:',
  example:
    'kumi site add nagoya --slurm grid@login.nagoya.example --through kek --partition short --hours 12',
  options: (command) =>
    command
      .option('--host-key <fingerprint>', 'of the login host, SHA256:…; kumi site test shows what it offers')
      .option('--account <name>', 'account that pays; of HTCondor: the accounting group')
      .option('--directory <path>', 'shared by login host and nodes', '.kumihimo')
      .option('--partition <name>', "Slurm: instead of the cluster's default")
      .option('--qos <name>', 'Slurm: quality of service'),
  describe: (given, options) => ({
    ...loginOf('--slurm', given, options),
    ...{ partition: word(options, 'partition'), qos: word(options, 'qos') },
  }),
}
