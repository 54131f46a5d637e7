import { defineError } from '../../kernel/errors.ts'

export const badOption = defineError('invalid', 'bad_option')

export function whole(what: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw badOption(`${what} needs a whole number, not "${text}".`)
  return Number(text)
}

export const runPath = (experiment: string, run: string): string =>
  `/kumi/v1/raw/runs/${whole('The experiment', experiment)}/${whole('The run', run)}`

export interface RawFile {
  readonly name: string
  readonly stream: string
  readonly bytes: number
  readonly events: number
  readonly adler32: string
  readonly state: string
  readonly problem: string
  readonly copies: readonly {
    readonly rse: string
    readonly tape: boolean
    readonly available: boolean
    readonly verifiedAt: string | null
  }[]
}
