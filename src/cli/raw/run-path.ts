import { whole } from '../common-options.ts'

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
