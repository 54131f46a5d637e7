import { type Forms, optional, readForms, text, whole } from './forms.ts'

/** A login host with a batch system behind it, and where the gateway has its files there. */
export interface LoginHost {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Fingerprint of the key of the login host ("SHA256:…"). */
  readonly hostKey: string
  /** On the file system that login host and nodes share; relative to the home directory. */
  readonly directory: string
  /** Path of Node at the cluster; empty: it is sent along. */
  readonly node: string
  /** Pause between two questions to the batch system. */
  readonly pollSeconds: number
}

/** How a gateway reaches a Slurm cluster and what it asks of it; comes from the server with each order. */
export interface Cluster extends LoginHost {
  /** Empty: the cluster's default. */
  readonly partition: string
  readonly account: string
  readonly qos: string
}

/** How a gateway reaches an HTCondor pool and what it asks of it. */
export interface Pool extends LoginHost {
  /** Group that the use is counted for; empty: the user's own. */
  readonly account: string
  /** What the pool wants to know of jobs besides: Name=value, separated by commas. */
  readonly attributes: string
}

const WORD = /^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$/
const PATH = /^[A-Za-z0-9_./][A-Za-z0-9_./+-]{0,199}$/
const ATTRIBUTES = /^[A-Za-z_]\w{0,63}=[\w.@+-]{1,64}(,[A-Za-z_]\w{0,63}=[\w.@+-]{1,64}){0,15}$/
const LOGIN: Forms<LoginHost> = {
  host: text(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/),
  port: whole(1, 65535),
  user: text(WORD),
  hostKey: optional(/^SHA256:[A-Za-z0-9+/]{43}$/),
  directory: text(PATH),
  node: optional(PATH),
  pollSeconds: whole(1, 600),
}
const CLUSTER: Forms<Cluster> = {
  ...LOGIN,
  ...{ partition: optional(WORD), account: optional(WORD), qos: optional(WORD) },
}
const POOL: Forms<Pool> = { ...LOGIN, account: optional(WORD), attributes: optional(ATTRIBUTES) }

/** What an order says of a cluster. Everything goes into command lines there, so nothing but plain words is taken. */
export const readCluster = (given: unknown): Cluster => readForms(given, CLUSTER)
export const readPool = (given: unknown): Pool => readForms(given, POOL)
