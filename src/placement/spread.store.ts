import { type Db, rows, sql } from '../kernel/index.ts'

export interface SpreadFile {
  readonly fileId: bigint
  readonly bytes: bigint
}

const PAGE = 2000

/** Files of datasets that a rule has not placed yet, each once, in pages. */
export async function* fileIdsOfDatasets(
  db: Db,
  ruleId: string,
  datasets: readonly bigint[],
): AsyncGenerator<SpreadFile[]> {
  let after = -1n
  for (;;) {
    const page = await rows(
      db,
      sql<SpreadFile>`select f.id as "fileId", f.bytes from file f
        where f.id > ${after} and f.id in (select child_id from content where parent_id = any(${datasets}::bigint[]))
          and not exists (select from file_placement fp where fp.rule_id = ${ruleId} and fp.file_id = f.id)
        order by f.id limit ${PAGE}`,
    )
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    after = page.at(-1)!.fileId
  }
}
