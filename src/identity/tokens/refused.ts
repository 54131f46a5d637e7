/** What is refused before it expires; gateways, which know no accounts, are told. */
export interface Refused {
  /** Suspended or removed. */
  readonly accounts: readonly string[]
  readonly clients: readonly string[]
  /** Ids of tokens, or of the grants they come from. */
  readonly tokens: readonly string[]
}

/** What of a token can be refused. */
export interface Refusable {
  readonly account: string | null
  readonly clientId: string | null
  readonly tokenId?: string
  readonly grantId?: string | null
}

/** Why it is refused, in words; undefined when it is not. */
export function refusalIn(
  refused: Refused,
  { account, clientId, tokenId, grantId }: Refusable,
): string | undefined {
  if (account !== null && refused.accounts.includes(account))
    return `The account ${account} is suspended or deleted.`
  if (clientId !== null && refused.clients.includes(clientId)) return 'The client of this token is disabled.'
  const revoked = [tokenId, grantId].some((id) => typeof id === 'string' && refused.tokens.includes(id))
  return revoked ? 'The token was revoked; log in again.' : undefined
}
