import { XMLParser } from 'fast-xml-parser'
import { type Dispatcher, request } from 'undici'
import { GridError } from '../../src/kernel/errors.ts'
import type { Digests } from '../../src/storage/digests.ts'
import type { Entry, StorageDriver, StoragePath } from '../../src/storage/driver.ts'
import { directoryNotEmpty, isADirectory, noSuchFile, notADirectory } from '../../src/storage/errors.ts'
import { checkPath } from '../../src/storage/names.ts'
import type { WebdavClient } from '../../src/storage/webdav.ts'

const parser = new XMLParser({ removeNSPrefix: true, isArray: (name) => name === 'response' })

interface Response {
  readonly href: string
  readonly propstat: {
    readonly prop: {
      readonly resourcetype: unknown
      readonly getcontentlength?: number
      readonly getlastmodified: string
    }
  }
}

/**
 * A directory behind a storage door, seen through the client of storages as if it were a driver: so that door and
 * client together can be held to the drivers' contract. WebDAV removes whole trees only, so this looks first.
 */
export function doorDriver(
  client: WebdavClient,
  door: { url: string; token: string; dispatcher: Dispatcher },
): StorageDriver {
  const { token, dispatcher } = door
  const urlOf = (path: StoragePath): string => {
    // A URL library would resolve dots instead of sending them.
    checkPath(path)
    return [door.url, ...path.map(encodeURIComponent)].join('/')
  }
  async function ask(method: string, path: StoragePath, headers: Record<string, string> = {}) {
    const answer = await request(urlOf(path), {
      method: method as Dispatcher.HttpMethod,
      headers: { authorization: `Bearer ${token}`, ...headers },
      dispatcher,
    })
    const text = await answer.body.text()
    const code = String(answer.headers['x-error-code'] ?? `http_${answer.statusCode}`)
    if (answer.statusCode >= 300) throw new GridError({ code, kind: 'invalid', message: text })
    return text
  }
  async function entries(path: StoragePath, depth: 0 | 1): Promise<Entry[] | undefined> {
    const xml = await ask('PROPFIND', path, { depth: String(depth) }).catch((error) => {
      if (error.code === 'no_such_file') return undefined
      throw error
    })
    if (xml === undefined) return undefined
    const { response } = parser.parse(xml).multistatus as { response: Response[] }
    return response.map(({ href, propstat: { prop } }) => ({
      name: decodeURIComponent(href.split('/').filter(Boolean).at(-1)!),
      directory: prop.getcontentlength === undefined,
      size: prop.getcontentlength ?? 0,
      modified: new Date(prop.getlastmodified),
    }))
  }
  const stat = async (path: StoragePath) => (await entries(path, 0))?.[0]
  async function digests(path: StoragePath, anew: boolean): Promise<Digests> {
    const found = await client.stat(urlOf(path), token, undefined, anew)
    if (!found) throw noSuchFile('It does not exist.')
    if (found.adler32 === undefined) throw isADirectory('It is a directory.')
    return { adler32: found.adler32, md5: found.md5! }
  }

  return {
    stat,
    async list(path) {
      const [self, ...children] = (await entries(path, 1)) ?? []
      if (!self) throw noSuchFile('It does not exist.')
      if (!self.directory) throw notADirectory('It is a file.')
      return children
    },
    async read(path, range) {
      if ((await stat(path))?.directory) throw isADirectory('It is a directory.')
      return client.get(urlOf(path), token, range && { range })
    },
    async write(path, body, { overwrite, size, expected, signal }) {
      let sent = 0
      async function* counted() {
        for await (const chunk of body) {
          sent += chunk.length
          yield chunk
        }
      }
      const { adler32, md5, created } = await client.put(urlOf(path), token, counted(), {
        ...{ overwrite, size, expected, signal },
      })
      return { adler32: adler32!, md5: md5!, size: sent, created }
    },
    async makeDirectory(path) {
      if (await stat(path))
        throw new GridError({ code: 'already_exists', kind: 'conflict', message: 'There.' })
      await ask('MKCOL', path)
    },
    move: (from, to, { overwrite }) => client.move(urlOf(from), token, urlOf(to), overwrite),
    async remove(path, { recursive = false } = {}) {
      if (!recursive && (await entries(path, 1).then((found) => (found?.length ?? 0) > 1)))
        throw directoryNotEmpty('It is not empty.')
      if (!(await client.remove(urlOf(path), token))) throw noSuchFile('It does not exist.')
    },
    digest: (path) => digests(path, false),
    sum: (path) => digests(path, true),
  }
}
