import { withClient } from '../client/http.ts'
import { fileAddress, rseSettings } from '../client/rucio.ts'
import { putFile, storedAt } from '../client/storage.ts'
import { badOption, type SharedOptions, show, whole } from '../common-options.ts'
import { digestFile, gatherFiles, type LocalFile } from '../data/local-files.ts'
import { readRootEvents } from '../data/root-events.ts'
import { runPath } from './run-path.ts'

interface DeclareOptions extends SharedOptions {
  readonly flow?: string
  readonly stream: string
  readonly events?: string
  readonly tree?: string
  readonly total?: string
  readonly send?: boolean
}

interface Declared {
  readonly added: number
  readonly scope: string
  readonly dataset: string
  readonly landing: string
}

export async function declare(
  experiment: string,
  run: string,
  sources: readonly string[],
  options: DeclareOptions,
): Promise<void> {
  const path = runPath(experiment, run)
  const local = sources.length > 0 ? await gatherFiles(sources) : []
  if (local.length === 0 && options.total === undefined)
    throw badOption('Name files, or say with --total how many the run has.')
  const files: (LocalFile & { bytes: number; adler32: string; md5: string; events: number })[] = []
  for (const file of local)
    files.push({ ...file, ...(await digestFile(file.path)), events: await eventsOf(file, options) })
  await withClient(options, async (client) => {
    const json = {
      ...(options.flow && { flow: options.flow }),
      files: files.map(({ name, bytes, adler32, md5, events }) => ({
        ...{ name, bytes, adler32, md5, events, stream: options.stream },
      })),
      ...(options.total !== undefined && { total: whole('--total', options.total) }),
    }
    const declared = await client.json<Declared>('POST', `${path}/files`, { json })
    let sent = 0
    if (options.send && files.length > 0) {
      const rse = await rseSettings(client, declared.landing)
      for (const file of files) {
        const url = fileAddress(rse, { scope: declared.scope, name: file.name })
        if (!url) throw badOption(`${declared.landing} has no https address to send to.`)
        const there = await storedAt(client, url)
        if (there?.bytes === file.bytes && there.adler32 === file.adler32) continue
        await putFile(client, url, file, () => undefined)
        sent++
      }
    }
    show(options, { ...declared, files: files.length, sent }, () =>
      [
        `${declared.added} of ${files.length} files are new in ${declared.scope}:${declared.dataset}.`,
        ...(options.send ? [`${sent} were sent to ${declared.landing}.`] : []),
        ...(options.total !== undefined ? [`The run has ${options.total} files.`] : []),
      ].join(' '),
    )
  })
}

async function eventsOf(file: LocalFile, options: DeclareOptions): Promise<number> {
  if (options.events !== undefined) return whole('--events', options.events)
  const events = file.name.endsWith('.root') ? await readRootEvents(file.path, options.tree) : undefined
  if (events === undefined)
    throw badOption(`${file.path} does not tell its number of events; give it with --events.`)
  return events
}
