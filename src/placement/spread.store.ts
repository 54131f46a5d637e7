import { type Db, rows, sql } from '../kernel/index.ts'

export interface SpreadFile {
  readonly fileId: bigint
  readonly bytes: bigint
}

const PAGE = 2000

/**
 * Files of datasets that a rule has not placed yet, in pages. Whoever reads them places a page before asking for the
 * next: so a file of two datasets comes once.
 */
export async function* fileIdsOfDatasets(
  db: Db,
  ruleId: string,
  datasets: readonly bigint[],
): AsyncGenerator<SpreadFile[]> {
  for (const dataset of datasets) {
    for (let after: bigint | undefined = -1n; after !== undefined; ) {
      const page: { fileId: bigint; bytes: bigint; open: boolean }[] = await rows(
        db,
        sql<{ fileId: bigint; bytes: bigint; open: boolean }>`
          select k.child_id as "fileId", f.bytes, f.deleted_at is null and not exists (select from file_placement fp
            where fp.rule_id = ${ruleId} and fp.file_id = k.child_id offset 0) as open
          from (select child_id from content where parent_id = ${dataset} and child_id > ${after}
            order by child_id limit ${PAGE}) k
          cross join lateral (select * from file where id = k.child_id offset 0) f
          order by k.child_id`,
      )
      const open = page.filter((file) => file.open)
      if (open.length > 0) yield open
      after = page.length < PAGE ? undefined : page.at(-1)!.fileId
    }
  }
}
