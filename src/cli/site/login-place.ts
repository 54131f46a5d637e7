import { badOption } from '../common-options.ts'
import { type PlaceOptions, small, word } from './place-kind.ts'

/** What every kind behind ssh is told, of `user@host` or `user@host:port` and the options. */
export function loginOf(flag: string, given: string, options: PlaceOptions): Record<string, string | number> {
  const found = /^([^@\s]+)@([^@\s:]+)(?::(\d{1,5}))?$/.exec(given)
  if (!found) throw badOption(`${flag} needs user@host or user@host:port, not "${given}".`)
  const [, user, host, port = '22'] = found
  return {
    ...{ user: user!, host: host!, port: Number(port), hostKey: word(options, 'hostKey') },
    ...{ directory: word(options, 'directory'), node: word(options, 'node') },
    ...{ account: word(options, 'account'), pollSeconds: small('--poll', word(options, 'poll')) },
  }
}
