import type { Identity } from '../identity/index.ts'

const NAME = 'pilots'

/**
 * The service account in whose name a VO's pilots work; made on first use. Each pilot's token opens the routes of that
 * one pilot, whoever holds the account.
 */
export async function pilotAccount(
  identity: Pick<Identity, 'accounts' | 'createAccounts' | 'setAttributes'>,
  vo: string,
): Promise<number> {
  const [known] = await identity.accounts(vo, [NAME])
  if (known) return known.id
  const [made] = await identity.createAccounts([{ vo, name: NAME, kind: 'SERVICE' }])
  await identity.setAttributes(made!.id, { pilots: 'true' })
  return made!.id
}
