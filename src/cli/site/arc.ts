import { readFileSync } from 'node:fs'
import { badOption } from '../common-options.ts'
import { type PlaceKind, small, word } from './place-kind.ts'

/** A computing element of ARC. */
export const arcPlace: PlaceKind = {
  flag: '--arc <url>',
  help: 'an ARC computing element: its service, as in https://ce.example/arex',
  heading: 'ARC:',
  example: 'kumi site add bern --arc https://ce.bern.example/arex --through kek --queue long --hours 12',
  options: (command) =>
    command
      .option('--credential <kind>', 'what opens it: token, or certificate', 'token')
      .option('--audience <text>', 'whom tokens are for; the address of the computing element')
      .option('--authority <file>', 'PEM of who vouches for its certificate, where the gateway trusts it not')
      .option('--queue <name>', 'instead of the one that it chooses'),
  describe(given, options) {
    const url = URL.parse(given)
    if (url?.protocol !== 'https:' || url.search || url.hash || url.username)
      throw badOption(`--arc needs an https address, not "${given}".`)
    const path = url.pathname.replace(/\/(rest.*)?$/, '')
    const credential = word(options, 'credential')
    if (!['token', 'certificate'].includes(credential))
      throw badOption(`--credential needs token or certificate, not "${credential}".`)
    const authority = word(options, 'authority')
    return {
      ...{ url: `${url.origin}${path || '/arex'}`, credential, queue: word(options, 'queue') },
      audience: credential === 'token' ? word(options, 'audience') || url.origin : '',
      ...{ authority: authority ? readFileSync(authority, 'utf8') : '', node: word(options, 'node') },
      pollSeconds: small('--poll', word(options, 'poll')),
    }
  },
}
