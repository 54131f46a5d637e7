import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { interruption, type SharedOptions, show } from '../common-options.ts'
import { bytesText, table } from '../terminal.ts'

const notCopied = defineError('transient', 'software_not_copied')
const base = '/kumi/v1/software/mirrors'
const POLL_MS = 1000

interface Mirror {
  readonly name: string
  readonly urls: readonly string[]
  readonly revision: number
  readonly checkedAt: string
  readonly failure: string | null
  readonly copyWanted: boolean
  readonly copyComplete: boolean
  readonly copiedRevision: number | null
  readonly copyObjects: number
  readonly copyBytes: number
  readonly copyFailure: string | null
}

const one = (name: string, ...rest: string[]) => [base, encodeURIComponent(name), ...rest].join('/')

const mirrors = async (client: GridClient): Promise<Mirror[]> =>
  (await client.json<{ mirrors: Mirror[] }>('GET', base)).mirrors

/** `kumi software mirror add`: serves a repository of others from now on. */
export async function addMirror(
  name: string,
  options: SharedOptions & { url: readonly string[]; key: string; title?: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const made = await client.json<{ revision: number }>('POST', base, {
      json: {
        ...{ name, urls: options.url, title: options.title },
        publicPem: readFileSync(options.key, 'utf8'),
      },
    })
    show(options, made, () =>
      [
        `${name} is mirrored at revision ${made.revision}; clients find it at ${client.place.server}/cvmfs/${name}`,
        `What they ask for is fetched and kept. All of it: kumi software mirror sync ${name}`,
      ].join('\n'),
    )
  })
}

export async function listMirrors(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const found = await mirrors(client)
    show(options, found, () =>
      table(found, [
        { title: 'MIRROR', value: (mirror) => mirror.name },
        { title: 'REVISION', right: true, value: (mirror) => mirror.revision },
        { title: 'VERIFIED', value: (mirror) => mirror.checkedAt },
        { title: 'COPY', value: copyText },
        { title: 'FROM', value: (mirror) => mirror.urls.join(' ') },
        { title: 'PROBLEM', value: (mirror) => mirror.failure ?? mirror.copyFailure },
      ]),
    )
  })
}

function copyText({ copyWanted, copyComplete, copiedRevision }: Mirror): string {
  if (!copyWanted) return 'what is asked for'
  if (copyComplete) return 'complete'
  return copiedRevision === null ? 'under way' : `complete up to ${copiedRevision}`
}

/** `kumi software mirror sync`: all of it, now and whenever it changes; waits until it is here. */
export async function syncMirror(name: string, options: SharedOptions): Promise<void> {
  const { signal, end } = interruption()
  try {
    await withClient(options, async (client) => {
      await client.json('POST', one(name, 'sync'))
      for (let told = ''; !signal.aborted; await setTimeout(POLL_MS)) {
        const mirror = (await mirrors(client)).find((found) => found.name === name)
        if (!mirror) throw notCopied(`${name} was removed meanwhile.`)
        if (mirror.copyComplete)
          return show(options, mirror, () => `Revision ${mirror.copiedRevision} of ${name} is complete here.`)
        if (mirror.copyFailure) throw notCopied(`${mirror.copyFailure} The server tries again by itself.`)
        const words = `${mirror.copyObjects} objects (${bytesText(mirror.copyBytes)}) are here\n`
        if (!options.quiet && words !== told) process.stderr.write(words)
        told = words
      }
    })
  } finally {
    end()
  }
}

export async function removeMirror(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const answer = await client.json<{ removed: boolean }>('DELETE', one(name))
    show(options, answer, () => `${name} is served no more.`)
  })
}
