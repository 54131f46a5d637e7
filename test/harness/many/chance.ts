import { sql } from '../../../src/kernel/index.ts'

/** A number in [0, 1) that is the same for the same row in every run. */
export const chance = (row: string, salt: number) =>
  sql`((hashint8extended(${sql.raw(row)}::bigint, ${salt}::bigint) & 1048575) / 1048576.0)`

/** One of a list of texts. */
export const oneOf = (row: string, salt: number, texts: readonly string[]) =>
  sql`(${sql.lit(`{${texts.map((text) => JSON.stringify(text)).join(',')}}`)}::text[])[1 + floor(${chance(row, salt)} * ${sql.lit(texts.length)})::int]`
