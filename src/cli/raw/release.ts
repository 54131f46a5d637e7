import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { digestFile } from '../data/local-files.ts'
import { partial } from '../outcome.ts'
import { runPath } from './run-path.ts'
import { filesOf } from './runs.ts'

interface Released {
  readonly released: readonly string[]
  readonly kept: readonly { readonly name: string; readonly state: string; readonly why: string }[]
}

export async function release(
  experiment: string,
  run: string,
  options: SharedOptions & { remove?: string },
): Promise<void> {
  const path = runPath(experiment, run)
  await withClient(options, async (client) => {
    const { released, kept } = await client.json<Released>('POST', `${path}/release`, { json: {} })
    const removed: string[] = []
    const differing: string[] = []
    if (options.remove) {
      const declared = new Map((await filesOf(client, path, 'released')).map((file) => [file.name, file]))
      for (const name of released) {
        const local = join(options.remove, name)
        if (!(await stat(local).catch(() => undefined))?.isFile()) continue
        const { bytes, adler32 } = await digestFile(local)
        const file = declared.get(name)
        // Something else may have taken its name since.
        if (file?.bytes !== bytes || file.adler32 !== adler32) differing.push(name)
        else {
          await rm(local)
          removed.push(name)
        }
      }
    }
    show(options, { released, kept, removed, differing }, () =>
      [
        `${released.length} files may be deleted from the detector's disk, ${kept.length} may not.`,
        ...kept.slice(0, 20).map(({ name, why }) => `  ${name}: ${why}`),
        ...(options.remove ? [`${removed.length} were deleted from ${options.remove}.`] : []),
        ...differing.map((name) => `  ${name} is not what was declared; it was left there`),
      ].join('\n'),
    )
    if (kept.length > 0 || differing.length > 0)
      throw partial(`${kept.length + differing.length} of ${released.length + kept.length} files stay.`)
  })
}
