import type { Account } from '../accounts/account.ts'
import type { Accounts } from '../accounts/accounts.ts'
import type { LoginResult, Logins } from '../accounts/login.ts'
import type { Context } from '../context.ts'
import { loginFailed } from '../errors.ts'
import type { Principal } from '../principal.ts'
import type { VerifiedChain } from '../x509/index.ts'
import { type CertificateBearers, groupScope, LIMITED_SCOPES } from './bearer.ts'

export interface CertificateLogins {
  /**
   * A token for the holder of a verified certificate or proxy, or for another account that has its name as an identity
   * too. It ends with the proxy, and cannot get certificates or leave credentials: that would make proxies endless.
   * Throws login_failed, and as `verifyCertificate`.
   */
  loginByCertificate(request: {
    readonly vo: string
    readonly chain: VerifiedChain
    readonly account?: string
  }): Promise<LoginResult>
}

const TOKEN_SECONDS = 3600
/** Everything of a login but what would outlive the certificate. */
const CERTIFICATE_SCOPES: readonly string[] = [
  ...LIMITED_SCOPES,
  ...['grid.identity.write', 'grid.identity.access', 'grid.sites.*', 'grid.operations.*', 'grid.admin.*'],
]

export function createCertificateLogins(
  context: Context,
  rooms: {
    bearers: CertificateBearers
    accounts: Pick<Accounts, 'accountsOfIdentity'>
    logins: Pick<Logins, 'mintForAccount'>
  },
): CertificateLogins {
  return {
    async loginByCertificate({ vo, chain, account }) {
      const holder = await rooms.bearers.verifyCertificate(chain, { vo })
      if (holder.vo !== vo || holder.accountId === null)
        throw loginFailed(`This certificate is not known in ${vo}.`)
      const others = await rooms.accounts.accountsOfIdentity(vo, 'X509', holder.subject)
      const left = (holder.expiresAt.getTime() - context.now().getTime()) / 1000
      const accountId = chosen(holder, holder.accountId, others, account)
      // Another account has groups of its own.
      const groups = accountId === holder.accountId ? holder.groups.map(groupScope) : []
      return rooms.logins.mintForAccount(accountId, {
        lifetimeSeconds: Math.max(1, Math.floor(Math.min(TOKEN_SECONDS, left))),
        scopes: [...groups, ...(chain.limited ? LIMITED_SCOPES : CERTIFICATE_SCOPES)],
      })
    },
  }
}

function chosen(
  holder: Principal,
  holderId: number,
  others: readonly Account[],
  named: string | undefined,
): number {
  if (named === undefined || named === holder.account) return holderId
  const other = others.find(({ name, status }) => name === named && status === 'ACTIVE')
  if (!other) throw loginFailed(`${holder.subject} may not act as ${named}.`)
  return other.id
}
