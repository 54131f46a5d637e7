import { loginOf } from './login-place.ts'
import { type PlaceKind, word } from './place-kind.ts'

/** An HTCondor pool behind ssh. */
export const htcondorPlace: PlaceKind = {
  flag: '--htcondor <user@host[:port]>',
  help: 'an HTCondor pool: its access point',
  heading: 'Slurm and HTCondor, by ssh:',
  example: 'kumi site add niigata --htcondor grid@ap.niigata.example --through kek --account belle.prod',
  options: (command) =>
    command.option(
      '--attributes <name=value,…>',
      'HTCondor: what its pool wants of jobs, like MaxRuntime=86400',
    ),
  describe: (given, options) => ({
    ...loginOf('--htcondor', given, options),
    attributes: word(options, 'attributes'),
  }),
}
