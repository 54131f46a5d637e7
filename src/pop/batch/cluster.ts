import { badCluster } from './errors.ts'

/** How a gateway reaches a Slurm cluster and what it asks of it; comes from the server with each order. */
export interface Cluster {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Fingerprint of the key of the login host ("SHA256:…"). */
  readonly hostKey: string
  /** Empty: the cluster's default. */
  readonly partition: string
  readonly account: string
  readonly qos: string
  /** On the file system that login host and nodes share; relative to the home directory. */
  readonly directory: string
  /** Path of Node at the cluster; empty: it is sent along. */
  readonly node: string
  /** Pause between two questions to Slurm. */
  readonly pollSeconds: number
}

const WORD = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$/
const PATH = /^[A-Za-z0-9_./][A-Za-z0-9_./+-]{0,199}$/
const FORMS: Readonly<Record<keyof Cluster, (value: unknown) => boolean>> = {
  host: text(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/),
  port: (value) => Number.isInteger(value) && (value as number) > 0 && (value as number) < 65536,
  user: text(WORD),
  hostKey: optional(/^SHA256:[A-Za-z0-9+/]{43}$/),
  partition: optional(WORD),
  account: optional(WORD),
  qos: optional(WORD),
  directory: text(PATH),
  node: optional(PATH),
  pollSeconds: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 600,
}

/** What an order says of a cluster. Everything goes into command lines there, so nothing but plain words is taken. */
export function readCluster(given: unknown): Cluster {
  const found = (typeof given === 'object' && given !== null ? given : {}) as Record<keyof Cluster, unknown>
  const wrong = Object.entries(FORMS).filter(([key, fits]) => !fits(found[key as keyof Cluster]))
  if (wrong.length > 0)
    throw badCluster(`The description of the cluster is not usable: ${wrong.map(([key]) => key).join(', ')}.`)
  return found as unknown as Cluster
}

function text(form: RegExp) {
  return (value: unknown) => typeof value === 'string' && form.test(value)
}
function optional(form: RegExp) {
  return (value: unknown) => value === '' || text(form)(value)
}
