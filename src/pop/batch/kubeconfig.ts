import { X509Certificate } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { badCluster } from './errors.ts'

/** What opens an API server, and whom it must be certified by. */
export interface KubernetesAccess {
  /** Another one: the files were changed. */
  readonly key: string
  readonly authority: string
  readonly token?: string
  readonly identity?: { readonly cert: string; readonly key: string }
  /** Whose it is, in words. */
  readonly owner: string
}

type Fields = Readonly<Record<string, unknown>>

/**
 * The kubeconfig of a place, in JSON, with a token or a client certificate. It is read each time: a new file counts at
 * once. Programs that it names are not run, and the server's certificate is always verified, by its authority alone.
 * Throws bad_cluster. https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
export function readKubeconfig(file: string, url: string): KubernetesAccess {
  const text = ownFile(file)
  const config = parsed(text, file)
  const named = (list: string, name: unknown, kind: string): Fields => {
    const found = listOf(config[list]).find((entry) => entry.name === name)?.[kind]
    if (typeof found !== 'object' || found === null)
      throw badCluster(`${file} has no ${kind} "${String(name)}".`)
    return found as Fields
  }
  const context = named('contexts', config['current-context'], 'context')
  const cluster = named('clusters', context.cluster, 'cluster')
  const user = named('users', context.user, 'user')
  if (originOf(cluster.server) !== originOf(url))
    throw badCluster(`${file} is for ${String(cluster.server)}, the place is at ${url}.`)
  if (cluster['insecure-skip-tls-verify'])
    throw badCluster(
      `${file} wants the certificate of ${url} not verified. Give it certificate-authority-data.`,
    )
  const content = (fields: Fields, key: string): string | undefined => {
    const [data, path] = [fields[`${key}-data`], fields[key]]
    if (typeof data === 'string') return Buffer.from(data, 'base64').toString()
    return typeof path === 'string' ? readFileSync(resolve(dirname(file), path), 'utf8') : undefined
  }
  const authority = content(cluster, 'certificate-authority')
  if (!authority) throw badCluster(`${file} does not say who certifies ${url}: certificate-authority-data.`)
  const token =
    typeof user.tokenFile === 'string' ? ownFile(resolve(dirname(file), user.tokenFile)).trim() : user.token
  const [cert, key] = [content(user, 'client-certificate'), content(user, 'client-key')]
  if (typeof token === 'string' && token !== '')
    return { key: text, authority, token, owner: `token of ${String(context.user)}` }
  if (!cert || !key)
    throw badCluster(
      `${file} has neither a token nor a client certificate with its key for ${String(context.user)}; programs that fetch one are not run.`,
    )
  const { subject, validTo } = new X509Certificate(cert)
  return {
    ...{ key: text, authority, identity: { cert, key } },
    owner: `certificate of ${subject.replaceAll('\n', ', ')}, until ${validTo}`,
  }
}

const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? (value as Fields[]) : [])
const originOf = (text: unknown): string => URL.parse(String(text))?.origin ?? ''

function parsed(text: string, file: string): Fields {
  try {
    return JSON.parse(text) as Fields
  } catch {
    throw badCluster(
      `${file} is not JSON. Make it with: kubectl config view --raw --minify --flatten -o json`,
    )
  }
}

function ownFile(file: string): string {
  try {
    if ((lstatSync(file).mode & 0o077) !== 0)
      throw badCluster(`Others may read ${file}, or it is a link. Make it a file with the permissions 0600.`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    throw badCluster(
      `There is no ${file} at the gateway. Make it with: kubectl config view --raw --minify --flatten -o json (0600).`,
    )
  }
}
