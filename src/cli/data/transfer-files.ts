import { join } from 'node:path'
import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { type Did, didText, parseDid, parseMetadata } from '../client/names.ts'
import * as rucio from '../client/rucio.ts'
import { interruption, type SharedOptions, show } from '../common-options.ts'
import { partial } from '../outcome.ts'
import { showProgress } from '../progress.ts'
import { bytesText } from '../terminal.ts'
import { type GetSummary, getFiles } from './get.ts'
import { gatherFiles } from './local-files.ts'
import { type PutSummary, putFiles, totalBytes } from './put.ts'

const badNumber = defineError('invalid', 'bad_number')
const nothingThere = defineError('missing', 'nothing_there')

interface PutOptions extends SharedOptions {
  readonly rse?: string
  readonly scope?: string
  readonly dataset?: string
  readonly meta: readonly string[]
  readonly tree?: string
  readonly concurrency: string
}

export async function put(sources: readonly string[], options: PutOptions): Promise<void> {
  const files = await gatherFiles(sources)
  const metadata = parseMetadata(options.meta)
  const concurrency = lanes(options.concurrency)
  const stop = interruption()
  await withClient(options, async (client) => {
    const scope = options.scope ?? `user.${await rucio.accountName(client)}`
    const dataset = options.dataset === undefined ? undefined : datasetName(options.dataset, scope)
    const progress = showProgress(
      'put',
      { bytes: await totalBytes(files), files: files.length },
      { quiet: options.quiet ?? false },
    )
    const order = { files, scope, rse: options.rse, dataset, metadata, treeName: options.tree, concurrency }
    const summary = await putFiles(client, order, progress, stop.signal).finally(() => progress.done())
    const words = () =>
      `${summary.stored} stored, ${summary.present} already there, ${summary.failed.length} failed: ${bytesText(summary.bytes)} at ${summary.rse}${dataset ? ` in ${didText(dataset)}` : ''}`
    show(options, summary, words)
    report(summary)
  }).finally(stop.end)
}

interface GetOptions extends SharedOptions {
  readonly dir?: string
  readonly concurrency: string
}

export async function get(names: readonly string[], options: GetOptions): Promise<void> {
  const concurrency = lanes(options.concurrency)
  const stop = interruption()
  await withClient(options, async (client) => {
    for (const did of names.map(parseDid)) {
      const isFile = (await rucio.showDid(client, did)).type === 'FILE'
      const files = await rucio.collect(rucio.listReplicas(client, [did]))
      if (files.length === 0) throw nothingThere(`${didText(did)} holds no files.`)
      const bytes = files.reduce((sum, file) => sum + Number(file.bytes ?? 0), 0)
      const directory = isFile
        ? (options.dir ?? '.')
        : join(options.dir ?? '.', did.name.replaceAll('/', '_'))
      const progress = showProgress('get', { bytes, files: files.length }, { quiet: options.quiet ?? false })
      const summary = await getFiles(client, files, directory, progress, {
        concurrency,
        signal: stop.signal,
      }).finally(() => progress.done())
      show(
        options,
        { name: didText(did), directory, ...summary },
        () =>
          `${summary.fetched} fetched, ${summary.present} already there, ${summary.failed.length} failed: ${bytesText(summary.bytes)} in ${directory}`,
      )
      report(summary)
    }
  }).finally(stop.end)
}

function report(summary: PutSummary | GetSummary): void {
  if (summary.failed.length === 0) return
  const shown = summary.failed.slice(0, 10).map(({ name, message }) => `      ${name}: ${message}`)
  const more =
    summary.failed.length > shown.length ? [`      … and ${summary.failed.length - shown.length} more`] : []
  throw partial(
    [
      `${summary.failed.length} of ${summary.files} files failed; repeat the command to continue.`,
      ...shown,
      ...more,
    ].join('\n'),
  )
}

function datasetName(text: string, scope: string): Did {
  return text.includes(':') ? parseDid(text) : { scope, name: text }
}

function lanes(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= 64) return count
  throw badNumber(`--concurrency needs a number from 1 to 64, got "${text}".`)
}
