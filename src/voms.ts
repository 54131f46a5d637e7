/** The wiring of the VOMS attribute authority, a part of `main.ts`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { registerVomsContact, vomsServer } from './doors/voms/index.ts'
import { ensureVomsAuthority, homeAt } from './embedded/index.ts'
import type { Http } from './http/index.ts'
import {
  type AuthorityCredential,
  type ClientCertificates,
  createAttributeAuthority,
  credentialOf,
  type Identity,
  namesOf,
  readCertificates,
  slashOf,
} from './identity/index.ts'
import type { Clock, Db, Logger, Worker } from './kernel/index.ts'

export interface VomsOptions {
  readonly db: Db
  readonly identity: Identity
  readonly certificates: ClientCertificates
  readonly clock: Clock
  readonly log: Logger
  readonly home: string
  readonly vo: string
  /** Of the server, as clients know it. */
  readonly publicUrl: string
  readonly host: string
  readonly port: number
  readonly mostHours: number
}

const DAY_MS = 86_400_000

export interface Voms {
  register(app: Http['app']): void
  listen(): Promise<void>
  /** Renews the certificate before it ends. */
  readonly worker: Worker
  close(): Promise<void>
}

export async function openVoms(options: VomsOptions): Promise<Voms> {
  const { db, identity, certificates, clock, log, host, port, publicUrl } = options
  const home = homeAt(options.home)
  const publicHost = new URL(publicUrl).hostname
  const load = async (now: Date): Promise<AuthorityCredential> => {
    const vos = (await identity.listVos()).map(({ id }) => id)
    const credential = await ensureVomsAuthority(home, { host: publicHost, vos }, now)
    return credentialOf(credential, { host: publicHost, port })
  }
  let credential = await load(clock.now())
  const tls = {
    cert: readFileSync(join(home.server, 'tls.pem')),
    key: readFileSync(join(home.server, 'tls.key')),
  }
  const [shown] = readCertificates(tls.cert.toString())
  const authority = createAttributeAuthority({
    ...{ db, identity, now: () => clock.now() },
    credential: () => credential,
    defaultVo: options.vo,
    mostSeconds: options.mostHours * 3600,
    consoleUrl: `${publicUrl}/`,
  })
  const door = vomsServer({ authority, certificates, log, host, port, tls })
  let renewAt = new Date(clock.now().getTime() + DAY_MS)
  return {
    register: (app) =>
      registerVomsContact(app, {
        identity,
        contact: () => ({
          host: publicHost,
          port,
          subject: slashOf(shown!.subject),
          chain: [credential.certificate, ...credential.intermediates].map(namesOf),
        }),
      }),
    listen: async () => {
      await door.listen()
    },
    worker: {
      name: 'voms-certificate',
      wakeOn: [],
      async tick(now) {
        if (now >= renewAt) {
          credential = await load(now)
          renewAt = new Date(now.getTime() + DAY_MS)
        }
        return { changed: 0, nextWake: renewAt }
      },
    },
    close: () => door.close(),
  }
}
