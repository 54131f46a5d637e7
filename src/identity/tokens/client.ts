export interface Client {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  readonly grants: readonly string[]
  readonly scopes: readonly string[]
  readonly audiences: readonly string[]
  readonly enabled: boolean
}

export interface NewClient {
  readonly id: string
  readonly vo: string
  readonly accountId: number
  /** The most the client may ask for. */
  readonly scopes: readonly string[]
  readonly audiences?: readonly string[]
  readonly grants?: readonly string[]
  /** Kept if given (at least 24 characters), made otherwise. */
  readonly secret?: string
}
