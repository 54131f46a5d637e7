/** Which client may exchange tokens that were issued to which other (RFC 8693). Without one nothing is exchanged. */
export interface ExchangePolicy {
  readonly id: string
  readonly vo: string
  /** Client the subject token was issued to; `*` is any. */
  readonly origin: string
  /** Client that asks; `*` is any. */
  readonly destination: string
  /** The subject token must be meant for one of these; none: for the asking client's id. */
  readonly subjectAudiences: readonly string[]
  /** The most the new token may carry; it also never carries more than the subject token. */
  readonly scopes: readonly string[]
  /** What the new token may be meant for; none: anything the client may ask for. */
  readonly audiences: readonly string[]
  /** Whether a refresh token may be asked for. */
  readonly refresh: boolean
  readonly description: string
}

/** The one policy that counts: the one that says most about the two clients. Undefined: refused. Pure. */
export function exchangePolicyFor(
  policies: readonly ExchangePolicy[],
  origin: string | null,
  destination: string,
): ExchangePolicy | undefined {
  const rank = (policy: ExchangePolicy) =>
    (policy.destination === '*' ? 0 : 2) + (policy.origin === '*' ? 0 : 1)
  return policies
    .filter((p) => p.destination === '*' || p.destination === destination)
    .filter((p) => p.origin === '*' || p.origin === origin)
    .sort((a, b) => rank(b) - rank(a))[0]
}
