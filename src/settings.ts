import type { Settings } from './kernel/config.ts'

/** Every setting of the server: environment variable, default and help; `docs/operate/settings.md` is made of it. */
export const serverSettings = {
  home: {
    type: 'string',
    env: 'KUMI_HOME',
    help: 'Home directory of the grid; keys, certificates and logs are below it.',
  },
  databaseUrl: {
    type: 'string',
    env: 'DATABASE_URL',
    help: 'PostgreSQL to use instead of the embedded one, e.g. postgresql://kumi@db/kumi.',
    secret: true,
  },
  host: {
    type: 'string',
    env: 'KUMI_HOST',
    default: '127.0.0.1',
    help: 'Address to listen on. Anything but loopback is served by TLS only.',
  },
  port: {
    type: 'integer',
    env: 'KUMI_PORT',
    min: 1,
    max: 65_535,
    help: 'Port to listen on, instead of the one in grid.json: for further server processes on one database.',
  },
  publicUrl: {
    type: 'string',
    env: 'KUMI_URL',
    help: 'Address by which clients know the grid, e.g. https://grid.example.org; the same for all its server processes. https://localhost:<port of grid.json> when absent.',
  },
  poolSize: {
    type: 'integer',
    env: 'KUMI_POOL_SIZE',
    default: 20,
    min: 4,
    max: 200,
    help: 'Database connections of one server process.',
  },
  logLevel: {
    type: 'string',
    env: 'KUMI_LOG_LEVEL',
    default: 'info',
    help: 'trace, debug, info, warn or error.',
  },
  transfersAtOnce: {
    type: 'integer',
    env: 'KUMI_TRANSFERS',
    default: 16,
    min: 1,
    max: 1000,
    help: 'Third-party copies that one server process drives at the same time.',
  },
  deletionGraceSeconds: {
    type: 'integer',
    env: 'KUMI_DELETION_GRACE',
    default: 86_400,
    min: 0,
    help: 'Time between the renaming of a deleted copy to the trash and its removal.',
  },
  trust: {
    type: 'string',
    env: 'KUMI_TRUST',
    default: '',
    help: 'Further directories of trusted certificate authorities, as the IGTF ships them, separated by ":".',
  },
  crlGraceHours: {
    type: 'integer',
    env: 'KUMI_CRL_GRACE',
    default: 24,
    min: 0,
    max: 720,
    help: 'Hours for which a list of revoked certificates counts after its successor was due.',
  },
  certificateHours: {
    type: 'integer',
    env: 'KUMI_CERTIFICATE_HOURS',
    default: 12,
    min: 1,
    max: 168,
    help: 'Longest life of the certificates issued to people, hours.',
  },
  certificatesAskedFor: {
    type: 'string',
    env: 'KUMI_CERTIFICATES_ASKED_FOR',
    default: 'own',
    help: 'Whose client certificates the server asks for: own (browsers with others stay quiet) or any.',
  },
  clientRegistration: {
    type: 'boolean',
    env: 'KUMI_CLIENT_REGISTRATION',
    default: false,
    help: 'Whether people may register OAuth clients of their own (RFC 7591), for login flows only.',
  },
} as const satisfies Settings
