import { join, resolve } from 'node:path'
import { writeWhole } from '../../embedded/home.ts'
import { defineError } from '../../kernel/errors.ts'
import { type GridClient, withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'

const strangeAnswer = defineError('fatal', 'strange_answer')

export async function setup(options: SharedOptions & { dir?: string }): Promise<void> {
  await withClient(options, async (client) => {
    const directory = resolve(options.dir ?? join(client.place.home, 'client'))
    const installed = await installVomsContact(client, directory)
    const variables = vomsVariables(directory)
    show(options, { ...installed, ...variables }, () =>
      [
        `Installed ${installed.vomses} and ${installed.lsc}.`,
        ...Object.entries(variables).map(([name, value]) => `export ${name}=${value}`),
      ].join('\n'),
    )
  })
}

/** The variables with which the clients find what `installVomsContact` wrote. */
export const vomsVariables = (directory: string): { VOMS_USERCONF: string; X509_VOMS_DIR: string } => ({
  VOMS_USERCONF: join(directory, 'vomses'),
  X509_VOMS_DIR: join(directory, 'vomsdir'),
})

/** Where the attribute authority of a VO answers, as the server says it. */
export async function vomsContact(
  client: GridClient,
  vo: string,
): Promise<{ line: string; host: string; port: number }> {
  const path = `/vomses/${encodeURIComponent(vo)}`
  const line = String(await client.json<string>('GET', path, { anonymous: true }))
  const [, host, port] =
    /^"[^"]*" "([A-Za-z0-9][A-Za-z0-9.-]*)" "(\d{1,5})" "[^"]*" "[^"]*"$/.exec(line) ?? []
  if (!host) throw strangeAnswer(`The server's line for vomses is malformed: ${line.slice(0, 200)}`)
  return { line, host, port: Number(port) }
}

/** Fetches both files from the server and writes them below the directory, for its VO only. */
export async function installVomsContact(
  client: GridClient,
  directory: string,
): Promise<{ vomses: string; lsc: string }> {
  const { vo } = client.place
  const { line, host } = await vomsContact(client, vo)
  const path = `/vomsdir/${encodeURIComponent(vo)}/${host}.lsc`
  const chain = String(await client.json<string>('GET', path, { anonymous: true }))
  const { VOMS_USERCONF, X509_VOMS_DIR } = vomsVariables(directory)
  const [vomses, lsc] = [join(VOMS_USERCONF, `${vo}-${host}`), join(X509_VOMS_DIR, vo, `${host}.lsc`)]
  writeWhole(vomses, `${line}\n`, 0o644)
  writeWhole(lsc, `${chain}\n`, 0o644)
  return { vomses, lsc }
}
