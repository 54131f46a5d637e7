import { readFileSync } from 'node:fs'
import { type Config, readConfig } from '../kernel/config.ts'
import { defineError } from '../kernel/errors.ts'

const invalidConfig = defineError('invalid', 'invalid_config')

/** Every field of `gateway.json` but `peers`; `docs/operate/settings.md` is made of it. */
export const gatewaySettings = {
  name: { type: 'string', env: 'KUMI_GATEWAY_NAME', help: 'Name under which the server knows this gateway.' },
  server: { type: 'string', env: 'KUMI_SERVER', help: 'Base URL of the server.' },
  endpoint: { type: 'string', env: 'KUMI_GATEWAY_ENDPOINT', help: 'Public base URL of the storage door.' },
  host: { type: 'string', env: 'KUMI_GATEWAY_HOST', help: 'Address to listen at.', default: '127.0.0.1' },
  port: { type: 'integer', env: 'KUMI_GATEWAY_PORT', help: 'Port to listen at.', min: 0, max: 65535 },
  directory: {
    type: 'string',
    env: 'KUMI_GATEWAY_DIRECTORY',
    help: 'Holds tls.pem, tls.key, client-secret and storage/.',
  },
  ca: { type: 'string', env: 'KUMI_CA', help: 'File of the certificate authorities to trust.' },
  vo: { type: 'string', env: 'KUMI_VO', help: 'The collaboration whose area is served.' },
  issuer: { type: 'string', env: 'KUMI_ISSUER', help: 'Token issuer of the collaboration.' },
  logFile: {
    type: 'string',
    env: 'KUMI_LOG_FILE',
    help: 'Log file; standard error when absent.',
    default: '',
  },
  scrubBytesPerSecond: {
    type: 'integer',
    env: 'KUMI_SCRUB_RATE',
    help: 'Rate of the background scrub; 0 turns it off.',
    default: 5_000_000,
    min: 0,
  },
  softwareCacheBytes: {
    type: 'integer',
    env: 'KUMI_SOFTWARE_CACHE_BYTES',
    help: 'Bytes of software repositories kept for the clients of the site; 0 serves none.',
    default: 4_000_000_000,
    min: 0,
  },
  softwarePort: {
    type: 'integer',
    env: 'KUMI_SOFTWARE_PORT',
    help: 'Port where software is served without TLS, too, as clients of CVMFS expect of caches; 0 opens none.',
    default: 0,
    min: 0,
    max: 65535,
  },
  pilotIdleSeconds: {
    type: 'integer',
    env: 'KUMI_PILOT_IDLE',
    help: 'A pilot without work ends after so many seconds.',
    default: 60,
    min: 1,
  },
  pilotHeartbeatSeconds: {
    type: 'integer',
    env: 'KUMI_PILOT_HEARTBEAT',
    help: 'Longest pause between two reports of a pilot, in seconds.',
    default: 60,
    min: 1,
    max: 120,
  },
} as const

type Needed = 'name' | 'server' | 'endpoint' | 'port' | 'directory' | 'ca' | 'vo' | 'issuer'
type Plain = Config<typeof gatewaySettings>
export type GatewayConfig = Omit<Plain, Needed> & { readonly [K in Needed]: NonNullable<Plain[K]> } & {
  /** `host:port` of the storages this gateway may copy from and to. */
  readonly peers: readonly string[]
  /** Directories of trusted certificate authorities; without any, certificates open nothing. */
  readonly trust: readonly string[]
}

/** Reads `gateway.json`; says everything that is wrong at once. */
export function readGatewayConfig(file: string): GatewayConfig {
  let given: Record<string, unknown>
  try {
    given = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw invalidConfig(`${file} cannot be read as JSON: ${(error as Error).message}.`, {}, error)
  }
  const { peers = [], trust = [], ...plain } = given
  if (!Array.isArray(peers) || peers.some((peer) => typeof peer !== 'string'))
    throw invalidConfig(`${file}: peers needs a list of "host:port".`)
  if (!Array.isArray(trust) || trust.some((directory) => typeof directory !== 'string'))
    throw invalidConfig(`${file}: trust needs a list of directories.`)
  const config = readConfig(
    gatewaySettings,
    {},
    plain as Record<string, string | number | boolean | undefined>,
  )
  const missing = Object.entries(config)
    .filter(([, value]) => value === undefined)
    .map(([key]) => key)
  if (missing.length > 0) throw invalidConfig(`${file} lacks ${missing.join(', ')}.`)
  return { ...config, peers, trust } as GatewayConfig
}
