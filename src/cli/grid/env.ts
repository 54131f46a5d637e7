import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { defaultHome, homeAt, requireGrid, writeWhole } from '../../embedded/index.ts'
import { proxyPlace } from '../certificate/place.ts'
import { orMissing } from '../client/failure.ts'
import { withClient } from '../client/http.ts'
import { installVomsContact, vomsVariables } from '../voms/setup.ts'
import { adminToken } from './login.ts'

/** Variables that point kumi and the field's own clients at this grid. Only paths and addresses, never a secret. */
export async function env(options: { home?: string; json?: boolean }): Promise<void> {
  const home = homeAt(options.home ?? defaultHome())
  const facts = requireGrid(home)
  const tokenFile = join(home.client, 'token')
  writeWhole(tokenFile, await adminToken({ client: home.client, port: facts.port, vo: facts.vo }))
  const server = `https://localhost:${facts.port}`
  const proxy = proxyPlace(process.env)
  const variables: Record<string, string> = {
    KUMI_HOME: home.path,
    KUMI_SERVER: server,
    KUMI_CA: join(home.ca, 'ca.pem'),
    RUCIO_CONFIG: join(home.client, 'rucio.cfg'),
    RUCIO_ACCOUNT: 'admin',
    RUCIO_VO: facts.vo,
    BEARER_TOKEN_FILE: tokenFile,
    X509_CERT_DIR: join(home.ca, 'certificates'),
    ...(existsSync(proxy) && { X509_USER_PROXY: proxy }),
    ...(await voms(home.path, server, home.client)),
    DIRACX_URL: `${server}/diracx/`,
    DIRACX_CA_PATH: join(home.ca, 'ca.pem'),
    CURL_CA_BUNDLE: join(home.ca, 'ca.pem'),
    RCLONE_CA_CERT: join(home.ca, 'ca.pem'),
    SSL_CERT_FILE: caBundle(join(home.ca, 'ca.pem'), home.client),
    ...Object.fromEntries(
      facts.sites.map((site) => [
        `KUMI_${site.name.toUpperCase()}`,
        `https://localhost:${site.port}/${facts.vo}`,
      ]),
    ),
  }
  if (options.json) console.log(JSON.stringify(variables))
  else for (const [name, value] of Object.entries(variables)) console.log(`export ${name}=${quote(value)}`)
}

/**
 * The authority of the grid beside those that were trusted before: programs in Python and Go that take their authorities
 * from here (the sandboxes of DiracX) also talk to the rest of the world.
 */
function caBundle(authority: string, directory: string): string {
  const path = join(directory, 'ca-bundle.pem')
  const before = process.env.SSL_CERT_FILE
  if (before === path && existsSync(path)) return path
  const others = before && existsSync(before) ? readFileSync(before, 'utf8') : rootCertificates.join('\n')
  writeWhole(path, `${readFileSync(authority, 'utf8').trimEnd()}\n${others.trimEnd()}\n`)
  return path
}

/** Where the clients of VOMS find the attribute authority; nothing when the grid has none. */
async function voms(home: string, server: string, directory: string): Promise<Record<string, string>> {
  const variables = await orMissing(
    withClient({ home, server }, async (client) => {
      await installVomsContact(client, directory)
      return vomsVariables(directory)
    }),
  )
  return variables ?? {}
}

function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`
}
