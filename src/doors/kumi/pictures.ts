import { Type } from 'typebox'
import { type Did, listReplicas, type Rse, scopeDirectory } from '../../catalog/index.ts'
import { denied } from '../../identity/index.ts'
import { adler32, adler32Hex } from '../../kernel/adler32.ts'
import { defineError } from '../../kernel/index.ts'
import type { JobDoorDeps } from './job-deps.ts'
import { literals } from './literals.ts'
import type { Operations } from './operation.ts'

const noPicture = defineError('invalid', 'no_picture')
const notReadable = defineError('transient', 'no_good_copy')

const TYPES = {
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
} as const
const MOST_BYTES = 4n << 20n
const Named = Type.Object({
  scope: Type.String({ maxLength: 25 }),
  name: Type.String({ maxLength: 250 }),
})

/** Small pictures among the data, such as plots that jobs made, for screens: read at a storage and compared with the catalogue. */
export function registerPictures(
  door: Operations,
  { db, identity, rses, open }: Pick<JobDoorDeps, 'db' | 'identity' | 'rses' | 'open'>,
): void {
  door.get({
    url: '/kumi/v1/files/:scope/:name/picture',
    action: 'catalog.read',
    summary: 'A picture of at most 4 MiB (SVG, PNG, JPEG), for those who may read files of its scope',
    schema: { params: Named },
    answer: Type.Object({
      type: literals('image/svg+xml', 'image/png', 'image/jpeg'),
      content: Type.String({ contentEncoding: 'base64' }),
    }),
    handler: async ({ principal, params }) => {
      const { vo, accountId } = principal
      if (accountId === null) throw denied('Pictures are shown to people; log in with an account.')
      const reader = await identity.asAfterLogin(accountId)
      const path = `/${scopeDirectory(params.scope)}`
      const { allow, reason } = identity.explainAccess(reader, 'storage.read', { vo, path })
      if (!allow) throw denied(`You may not read data of ${params.scope} (${reason}).`)
      const type = typeOf(params.name)
      if (!type) throw noPicture(`${params.name} is no picture: its name ends with none of ${ENDINGS}.`)
      return { type, content: (await readWhole(vo, params)).toString('base64') }
    },
  })

  /** Of the first copy that has the right bytes. Throws did_not_found, no_picture, no_good_copy. */
  async function readWhole(vo: string, { scope, name }: Did): Promise<Buffer> {
    for await (const page of listReplicas(db, { vo, dids: [{ scope, name }] }))
      for (const { bytes, adler32: sum, replicas } of page) {
        if (bytes > MOST_BYTES || bytes === 0n)
          throw noPicture(`${scope}:${name} has ${bytes} bytes; pictures have at most ${MOST_BYTES}.`)
        for (const { rseId } of replicas) {
          const rse = await rses.byId(vo, rseId)
          const content = rse && (await readAt(rse, { scope, name }, Number(bytes)))
          if (content && (sum === null || adler32Hex(adler32(content)) === sum)) return content
        }
      }
    throw notReadable(`No copy of ${scope}:${name} can be read just now.`)
  }

  /** Undefined where the storage does not answer: another copy may do. */
  const readAt = async (rse: Rse, did: Did, bytes: number): Promise<Buffer | undefined> => {
    try {
      return Buffer.from(await (await open(rse, did))(0, bytes))
    } catch {
      return undefined
    }
  }
}

const ENDINGS = Object.keys(TYPES).join(', ')

function typeOf(name: string): (typeof TYPES)[keyof typeof TYPES] | undefined {
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  return Object.hasOwn(TYPES, ending) ? TYPES[ending as keyof typeof TYPES] : undefined
}
