import type { Settings } from './kernel/config.ts'

/** Every setting of the server: environment variable, default and help in a sentence. */
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
  activityShares: {
    type: 'integerByName',
    env: 'KUMI_ACTIVITY_SHARES',
    default: '1',
    min: 1,
    max: 1000,
    help: 'Weights of activities whose transfers wait for the same storage, e.g. "1, Production=5": five times the bytes of any other.',
  },
  deletionGraceSeconds: {
    type: 'integer',
    env: 'KUMI_DELETION_GRACE',
    default: 86_400,
    min: 0,
    help: 'Time between the renaming of a deleted copy to the trash and its removal.',
  },
  deletionFloor: {
    type: 'integerByName',
    env: 'KUMI_DELETION_FLOOR',
    default: '1',
    min: 1,
    help: 'Good copies, each at a site of its own, that must remain when a copy is deleted; others by VO, e.g. "1, belle=2". One silent loss is survived from 2 on.',
  },
  verifiedWithinDays: {
    type: 'integer',
    env: 'KUMI_VERIFIED_WITHIN_DAYS',
    default: 90,
    min: 1,
    help: 'A copy counts for that floor only when its checksum was compared within this time; the deletion has older ones read again first.',
  },
} as const satisfies Settings
