export type AccountKind = 'USER' | 'GROUP' | 'SERVICE'
export type AccountStatus = 'ACTIVE' | 'SUSPENDED' | 'DELETED' | 'PENDING'
export type IdentityKind = 'USERPASS' | 'OIDC' | 'X509' | 'SSH'

export interface Account {
  readonly id: number
  readonly uuid: string
  readonly vo: string
  readonly name: string
  readonly kind: AccountKind
  readonly status: AccountStatus
  readonly email: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly suspendedAt: Date | null
  readonly deletedAt: Date | null
}

export interface NewAccount {
  readonly vo: string
  readonly name: string
  readonly kind?: AccountKind
  readonly email?: string | null
  readonly givenName?: string
  readonly familyName?: string
  readonly institute?: string
  readonly endTime?: Date | null
  /** PENDING: registered, not yet approved. */
  readonly status?: 'ACTIVE' | 'PENDING'
}

/** A way for a person or service to show who they are, mapped to an account. */
export interface AccountIdentity {
  readonly accountId: number
  readonly kind: IdentityKind
  readonly identity: string
  readonly isDefault: boolean
}

export interface NewAccountIdentity {
  readonly accountId: number
  readonly kind: IdentityKind
  readonly identity: string
  readonly password?: string
  readonly isDefault?: boolean
}

export interface AccountFilter {
  readonly kind?: AccountKind
  readonly identity?: string
  readonly attributes?: Readonly<Record<string, string>>
}
