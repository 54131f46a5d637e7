import { type Forms, optional, readForms, text, whole } from './forms.ts'

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
const FORMS: Forms<Cluster> = {
  host: text(/^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$/),
  port: whole(1, 65535),
  user: text(WORD),
  hostKey: optional(/^SHA256:[A-Za-z0-9+/]{43}$/),
  partition: optional(WORD),
  account: optional(WORD),
  qos: optional(WORD),
  directory: text(PATH),
  node: optional(PATH),
  pollSeconds: whole(1, 600),
}

/** What an order says of a cluster. Everything goes into command lines there, so nothing but plain words is taken. */
export const readCluster = (given: unknown): Cluster => readForms(given, FORMS)
