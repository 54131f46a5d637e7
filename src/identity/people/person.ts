import type { AccountKind, AccountStatus } from '../accounts/account.ts'

/** How far the end of a membership has taken effect. */
export type Ending = 'PENDING_SUSPENSION' | 'SUSPENDED' | 'PENDING_REMOVAL' | 'REMOVED'

export interface Email {
  readonly address: string
  readonly primary: boolean
  readonly verifiedAt: Date | null
}

/** Somebody of a VO: an account with what is known about the human, or the service, behind it. */
export interface Person {
  readonly id: number
  /** The `sub` of its tokens; never given to anybody else. */
  readonly uuid: string
  readonly vo: string
  readonly username: string
  readonly kind: AccountKind
  readonly status: AccountStatus
  readonly statusReason: string
  readonly givenName: string
  readonly familyName: string
  readonly institute: string
  readonly emails: readonly Email[]
  readonly endTime: Date | null
  readonly ending: Ending | null
  readonly endingSince: Date | null
  /** When the usage policy was signed last; whether that still counts is what `standingOf` says. */
  readonly signedAt: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
}
