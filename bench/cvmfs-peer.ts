import { execFile } from 'node:child_process'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { textOf } from '../src/software/format/hash.ts'
import { readManifest } from '../src/software/format/manifest.ts'
import { certificateFrom, fingerprintOf } from '../src/software/format/signed.ts'
import { writeWhitelist } from '../src/software/format/whitelist.ts'
import { program } from './peers.ts'

const NAME = 'kumi-bench-peer.example.org'
const DAY_MS = 86_400_000
/** Downloads at once. */
const LANES = 8

/** Publisher and replicator of CVMFS, with an empty repository of their own on this machine. */
export interface CvmfsPeer {
  readonly version: string
  /** Publishes what a tar holds at `at`, and signs that. `seen` shows what was published before, as their mount does. */
  ingest(tar: string, at: string, seen?: string): Promise<void>
  /** Copies a repository whole: packed objects as they are. */
  pull(from: Original): Promise<void>
  /** Throws unless their own checker finds what was published, or what was copied, whole and of that many entries. */
  check(entries: number, copyOf?: Original): Promise<void>
  stop(): void
}

export interface Original {
  readonly url: string
  readonly name: string
  /** The file of its public master key. */
  readonly publicKey: string
}

/**
 * Looks for the programs of CVMFS and makes them a repository, with objects in a directory. Options as
 * `cvmfs_server mkfs`, `ingest` and `snapshot` give them; what they mean is said in cvmfs/swissknife_{sync,ingest,sign,pull}.h
 * of https://github.com/cvmfs/cvmfs.
 */
export async function startCvmfsPeer(directory: string): Promise<{ peer?: CvmfsPeer; skipped?: string }> {
  const missing = ['cvmfs_swissknife', 'openssl', 'tar'].filter((name) => !program(name))
  if (missing.length > 0) return { skipped: `programs of CVMFS: ${missing.join(', ')} is not installed` }
  const spool = makeSpool()
  if (!spool)
    return { skipped: 'programs of CVMFS: /var/spool/cvmfs cannot be written, where they keep statistics' }
  const stop = () => rmSync(spool, { recursive: true, force: true })
  try {
    const version = (await swissknife('version')).trim()
    const places = makePlaces(directory)
    await makeRepository(places)
    return {
      peer: {
        version,
        ingest: (...what) => ingest(places, ...what),
        pull: (original) => pull(copyIn(directory, original), original.url),
        check: (entries, original) => check(original ? copyIn(directory, original) : places, entries),
        stop,
      },
    }
  } catch (error) {
    stop()
    throw error
  }
}

/** A repository in a directory. */
interface Place {
  readonly name: string
  readonly store: string
  readonly publicKey: string
  /** Keeps the checksum of its reflog. */
  readonly reflog: string
  /** For files while they come. */
  readonly temporary: string
}

type Places = ReturnType<typeof makePlaces>

const copyIn = (directory: string, { name, publicKey }: Original): Place => ({
  ...{ name, publicKey, store: join(directory, 'copy'), reflog: join(directory, 'copy-reflog') },
  temporary: join(directory, 'tmp'),
})

async function run(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program(command)!, args, { maxBuffer: 1 << 26 })
  return stdout
}

const swissknife = (...args: string[]): Promise<string> => run('cvmfs_swissknife', ...args)

/** The publisher ends when it cannot write its statistics, and they have no other place without a configuration. */
function makeSpool(): string | undefined {
  const spool = `/var/spool/cvmfs/${NAME}`
  try {
    return mkdirSync(spool, { recursive: true }) ?? spool
  } catch {
    return undefined
  }
}

/** Where a repository lies, and how the programs are told of it. */
function makePlaces(directory: string) {
  const store = join(directory, 'store')
  const temporary = join(directory, 'tmp')
  const empty = join(directory, 'empty')
  for (const place of [temporary, empty]) mkdirSync(place, { recursive: true })
  return {
    ...{ name: NAME, store, temporary, empty, spooler: makeStore(store) },
    url: `file://${store}`,
    manifest: join(directory, 'manifest'),
    reflog: join(directory, 'reflog'),
    key: join(directory, 'key.pem'),
    certificate: join(directory, 'certificate.pem'),
    publicKey: join(directory, 'master.pub'),
  }
}

/** Makes the directories of objects; returns what their programs call a spooler definition. */
function makeStore(store: string): string {
  const two = (i: number) => i.toString(16).padStart(2, '0')
  for (const name of ['txn', ...Array.from({ length: 256 }, (_, i) => two(i))])
    mkdirSync(join(store, 'data', name), { recursive: true })
  return `local,${join(store, 'data', 'txn')},${store}`
}

/** An empty one. One key signs manifests and the whitelist: nobody has to be kept out here. */
async function makeRepository(places: Places): Promise<void> {
  const { key, certificate, manifest, temporary, spooler, reflog, publicKey, store } = places
  const wish = ['-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${NAME}`, '-days', '2']
  await run('openssl', 'req', '-x509', ...wish, ...['-keyout', key, '-out', certificate])
  const privateKey = createPrivateKey(readFileSync(key))
  writeFileSync(publicKey, createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }))
  const now = new Date()
  const whitelist = {
    ...{ repository: NAME, createdAt: now, expiresAt: new Date(now.getTime() + DAY_MS) },
    fingerprints: [fingerprintOf(certificateFrom(readFileSync(certificate, 'utf8')), 'sha1')],
  }
  writeFileSync(join(store, '.cvmfswhitelist'), writeWhitelist(whitelist, 'sha1', privateKey))
  await swissknife('create', ...['-o', manifest, '-t', temporary, '-r', spooler, '-n', NAME, '-R', reflog])
  await sign(places)
}

async function sign({ manifest, url, spooler, temporary, reflog, certificate, key }: Places): Promise<void> {
  const files = ['-m', manifest, '-t', temporary, '-R', reflog]
  await swissknife('sign', ...files, ...['-u', url, '-r', spooler, '-c', certificate, '-k', key, '-n', NAME])
}

/** What is new gets a catalogue of its own, which is what they recommend for a release. */
async function ingest(places: Places, tar: string, at: string, seen?: string): Promise<void> {
  const { store, url, spooler, temporary, empty, manifest, publicKey } = places
  const { root } = readManifest(readFileSync(join(store, '.cvmfspublished')))
  const base = ['-b', textOf(root), '-w', url, '-K', publicKey, '-N', NAME]
  const views = ['-c', seen ?? empty, '-u', empty, '-t', temporary]
  const input = ['-T', tar, '-B', at, ...(seen === undefined ? ['-C', 'true'] : [])]
  await swissknife('ingest', ...base, ...views, ...input, ...['-r', spooler, '-o', manifest])
  await sign(places)
}

async function pull({ name, store, publicKey, reflog, temporary }: Place, url: string): Promise<void> {
  const whence = ['-m', name, '-u', url, '-w', 'http://localhost/none', '-k', publicKey]
  const how = ['-n', String(LANES), '-t', '5', '-a', '1', '-i']
  await swissknife('pull', ...whence, ...how, ...['-r', makeStore(store), '-x', temporary, '-R', reflog])
}

async function check({ name, store, temporary, publicKey, reflog }: Place, entries: number): Promise<void> {
  const where = ['-r', store, '-k', publicKey]
  await swissknife('check', '-c', ...where, ...['-N', name, '-t', temporary, '-R', reflog])
  const listed = await swissknife('lsrepo', '-e', ...where, ...['-n', name, '-l', temporary])
  const sum = [...listed.matchAll(/(\d+) +\//g)].reduce((sum, [, n]) => sum + Number(n), 0)
  if (sum < entries) throw new Error(`CVMFS has ${sum} entries of ${name} instead of ${entries}:\n${listed}`)
}
