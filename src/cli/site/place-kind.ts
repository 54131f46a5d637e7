import type { Command } from 'commander'
import { whole } from '../common-options.ts'

/** How a place of one kind of batch system is named and described at the command line. */
export interface PlaceKind {
  /** Says which kind it is, and where the place is. */
  readonly flag: string
  readonly help: string
  /** The heading of its options in the help. */
  readonly heading: string
  readonly example: string
  /** Adds what only this kind is asked. */
  options(command: Command): Command
  /** What the gateway is told, of what was given with the flag and the options. */
  describe(given: string, options: PlaceOptions): Record<string, string | number>
}

/** Options as Commander gives them; each kind reads its own. */
export type PlaceOptions = Readonly<Record<string, unknown>>

/** An option that may be absent: "". */
export const word = (options: PlaceOptions, key: string): string => {
  const value = options[key]
  return typeof value === 'string' ? value : ''
}

/** A number of a place: it fits into four bytes. */
export const small = (option: string, text: string): number => whole(option, text, 9)
