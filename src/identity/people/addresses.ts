import type { Account } from '../accounts/account.ts'
import { countFailure, failuresOf } from '../accounts/login.store.ts'
import { digestOf } from '../accounts/secrets.ts'
import type { Context } from '../context.ts'
import * as e from '../errors.ts'
import { addressConfirm } from './mail-texts.ts'
import { post } from './mails.ts'
import { askAboutEmails, confirmEmail } from './people.store.ts'
import { createSettings } from './settings.ts'

const WINDOW_MS = 3600_000
/** Links to new addresses that one account may cause in an hour: the mails go to strangers if it lies. */
const MOST_MAILS = 20
const VALID_MS = 7 * 86_400_000

/** Sends a link to each address that is new in a profile, where the VO confirms addresses; throws registration_rate_limited. */
export async function askAboutAddresses(
  inside: Context,
  { id, vo, name }: Pick<Account, 'id' | 'vo' | 'name'>,
  list: readonly { readonly address: string }[],
): Promise<void> {
  const { db, ids, now, issuer } = inside
  if (!(await createSettings(inside).peopleSettings(vo)).confirmEmail) return
  const links = list.map(({ address }) => ({ address, secret: ids.secret(24) }))
  const digests = links.map(({ address, secret }) => ({ address, digest: digestOf(secret).toString('hex') }))
  const asked = new Set((await askAboutEmails(db, id, digests, now())).map(({ address }) => address))
  const fresh = links.filter(({ address }) => asked.has(address))
  await limit(inside, id, fresh.length)
  await post(
    db,
    now(),
    fresh.map(({ address, secret }) => ({
      ...{ vo, accountId: id, recipient: address, kind: 'address.confirm' },
      texts: addressConfirm(vo, name, `${issuer(vo)}/registration/verify/${secret}`),
    })),
  )
}

/** The link of such a mail was used; throws request_missing for a wrong, used or old one. */
export async function confirmAddress(
  inside: Context,
  vo: string,
  secret: string,
): Promise<{ username: string; address: string }> {
  const { db, now, audit } = inside
  const since = new Date(now().getTime() - VALID_MS)
  const found = await confirmEmail(db, vo, digestOf(secret), since, now())
  if (!found) throw e.requestMissing('This link was used already or is too old; ask for a new one.')
  const { username } = found
  await audit(db, { vo, actor: username, action: 'account.address_confirmed', target: username })
  return found
}

async function limit({ db, now }: Context, accountId: number, mails: number): Promise<void> {
  const key = `addresses ${accountId}`
  const since = new Date(now().getTime() - WINDOW_MS)
  for (let n = 0; n < mails; n++) await countFailure(db, key, since, now())
  if (mails > 0 && (await failuresOf(db, key, since)) > MOST_MAILS) {
    throw e.tooManyRegistrations('Too many new addresses; go on in an hour.', { retryAfterSeconds: 3600 })
  }
}
