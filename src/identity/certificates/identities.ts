import type { Accounts } from '../accounts/accounts.ts'
import { accountOf } from '../accounts/accounts.ts'
import type { Context } from '../context.ts'
import { invalidRequest } from '../errors.ts'
import { type Name, nameFromRfc4514, nameFromSlash, slashOf } from '../x509/index.ts'
import type { Certificates } from './certificates.ts'

/**
 * Identities of kind X509, as the data catalogue's clients add and remove them: a name without an issuer. The first
 * account that gets a name is its holder; further ones are accounts that the holder may act for.
 */
export function withCertificateNames(
  context: Context,
  accounts: Accounts,
  certificates: Certificates,
): Pick<Accounts, 'addIdentities' | 'removeIdentity'> {
  return {
    async addIdentities(list, by = 'grid') {
      const others = list.filter(({ kind }) => kind !== 'X509')
      const named = list.filter(({ kind }) => kind === 'X509')
      const names = named.map((one) => ({ ...one, subject: nameOf(one.identity), issuer: null }))
      if (names[0]) {
        const { vo } = await accountOf(context, names[0].accountId)
        await certificates.linkNames(vo, names, 'rucio', by)
      }
      const slashed = names.map(({ subject, issuer: _none, ...one }) => ({
        ...one,
        identity: slashOf(subject),
      }))
      await accounts.addIdentities([...others, ...slashed], by)
    },
    async removeIdentity(accountId, kind, identity, by = 'grid') {
      const slash = kind === 'X509' ? slashOf(nameOf(identity)) : identity
      await accounts.removeIdentity(accountId, kind, slash, by)
      if (kind !== 'X509') return
      const own = (await certificates.certificatesOf([accountId])).get(accountId) ?? []
      for (const { vo, id, subject } of own)
        if (subject === slash) await certificates.unlinkCertificate(vo, id, by)
    },
  }
}

/** Either form of a name: with slashes, or with commas. */
function nameOf(text: string): Name {
  try {
    return text.trim().startsWith('/') ? nameFromSlash(text) : nameFromRfc4514(text)
  } catch (cause) {
    throw invalidRequest(
      `"${text.slice(0, 200)}" is no name of a certificate, like /C=JP/O=Grid/CN=Mika.`,
      {},
      cause,
    )
  }
}
