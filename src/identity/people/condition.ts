/** What people or groups to find, independent of any query language. */
export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | Comparison
  /** At least one element of a list fits; fields inside are those of the element. */
  | { readonly some: string; readonly where: Condition }

export interface Comparison {
  readonly field: string
  readonly test: ComparisonTest
  /** Absent for `pr` only, which asks whether there is a value. */
  readonly value?: string | number | boolean | null
}

export type ComparisonTest = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le' | 'pr'

/** Part of a sorted list: `offset` from 0, at most 1000 at a time. */
export interface Page {
  readonly offset: number
  readonly limit: number
  readonly descending?: boolean
}

export interface Paged<T> {
  /** How many there are in all. */
  readonly total: number
  readonly items: readonly T[]
}

export const everybody: Condition = { all: [] }
