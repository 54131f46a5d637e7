import { Agent, request } from 'node:https'
import { attributeExtension } from '../../identity/voms/build.ts'
import { defineError } from '../../kernel/errors.ts'
import { credentialOf, type OwnCertificate } from '../certificate/credential.ts'
import type { GridClient } from '../client/http.ts'
import { trustOf } from '../client/trust.ts'
import { vomsContact } from './setup.ts'

const invalidWish = defineError('invalid', 'invalid_voms')
const notGiven = defineError('denied', 'attributes_not_given')
const unreachable = defineError('transient', 'voms_unreachable')

const MOST_BYTES = 1 << 20
const WISH = /^([A-Za-z0-9_][\w.-]*)(?::(all|\/[\w./=:-]+))?$/

/**
 * The attributes wished for, as the extension of a proxy: `demo` for the usual groups of a VO, `demo:/demo/Role=x` for
 * one first, `demo:all` for everything.
 */
export async function attributesFor(
  client: GridClient,
  own: OwnCertificate,
  wishes: readonly string[],
  hours: number,
): Promise<{ extension: Buffer; warnings: readonly string[] }> {
  const byVo = new Map<string, string[]>()
  for (const wish of wishes) {
    const [, vo, fqan] = WISH.exec(wish) ?? []
    if (!vo) throw invalidWish(`"${wish}" is no wish like demo or demo:/demo/Role=production.`)
    byVo.set(vo, [...(byVo.get(vo) ?? []), fqan ?? `/${vo}`])
  }
  const answers: { certificate: Buffer; warnings: string[] }[] = []
  for (const [vo, fqans] of byVo) {
    const query = `fqans=${fqans.includes('all') ? 'all' : fqans.join(',')}&lifetime=${Math.round(hours * 3600)}`
    answers.push(await ask(client, own, vo, query))
  }
  return {
    extension: attributeExtension(answers.map(({ certificate }) => certificate)),
    warnings: answers.flatMap(({ warnings }) => warnings),
  }
}

async function ask(client: GridClient, own: OwnCertificate, vo: string, query: string) {
  const { host, port } = await vomsContact(client, vo)
  const answer = await new Promise<string>((resolve, reject) => {
    const asking = request(
      {
        ...{ host, port, path: `/generate-ac?${query}`, timeout: 15_000 },
        agent: new Agent({ secureContext: trustOf(client.place, credentialOf(own)) }),
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
          if (text.length > MOST_BYTES) response.destroy(new Error('The answer is too long.'))
        })
        response.on('end', () => resolve(text)).on('error', reject)
      },
    )
    asking.on('timeout', () => asking.destroy(new Error('no answer in time')))
    asking.on('error', reject).end()
  }).catch((cause) => {
    throw unreachable(
      `The attribute authority at ${host}:${port} cannot be reached: ${(cause as Error).message}.`,
    )
  })
  const [, base64] = /<ac>([A-Za-z0-9+/=\s]+)<\/ac>/.exec(answer) ?? []
  if (!base64) {
    const [, message] = /<message>([^<]*)<\/message>/.exec(answer) ?? []
    throw notGiven(
      message ? plain(message) : `The attribute authority at ${host}:${port} gave no attributes.`,
    )
  }
  const warnings = [...answer.matchAll(/<warning>([^<]*)<\/warning>/g)].map(([, text]) => plain(text!))
  return { certificate: Buffer.from(base64, 'base64'), warnings }
}

const plain = (text: string): string =>
  text
    .replace(/&#(\d{1,7});/g, (_all, code: string) => String.fromCodePoint(Math.min(Number(code), 0x10ffff)))
    .trim()
