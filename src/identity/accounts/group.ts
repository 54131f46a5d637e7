export interface Group {
  readonly id: number
  readonly uuid: string
  readonly vo: string
  /** Full path with the VO as root: `/demo/analysis`. */
  readonly path: string
  readonly description: string
  /** Counts only when asked for. */
  readonly optional: boolean
  /** The VOMS role `/demo/analysis/Role=production` is the group `/demo/analysis/production`. */
  readonly role: boolean
  readonly parentUuid: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface NewGroup {
  readonly path: string
  readonly description?: string
  readonly optional?: boolean
  /** A role is always optional. */
  readonly role?: boolean
}

/** One account's place in one group. */
export interface Membership {
  /** Of the group. */
  readonly uuid: string
  readonly path: string
  readonly optional: boolean
  readonly role: boolean
  readonly since: Date
  readonly until: Date | null
  /** Who keeps it: `manual`, `request`, `vo`, `subgroup`, or the name of a source such as `voms:demo`. */
  readonly origin: string
}
