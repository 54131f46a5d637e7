import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { closeSync, constants, lstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nameOf } from '../format/entry.ts'

/** Something in a directory, as far as one sees it from there. */
export interface Look {
  readonly name: string
  /** Kind and permissions, as `lstat` has them. */
  readonly mode: number
  /** Changes whenever it may have changed. */
  readonly stamp: string
  /** When it last changed in any way, ms since 1970. */
  readonly changedAt: number
  /** Which file it is on this machine, and how many names that has. */
  readonly inode: string
  readonly names: number
  stat(): Stat
}
export type Stat = ReturnType<typeof statOf>

/** A way to look at a tree. */
export interface Looking {
  /** What is in a directory, in no order; each is asked for once. */
  into(directory: string): Iterable<Look>
  /** Other whenever something in a directory may have changed; undefined when there are directories in it, or it takes long. */
  sumOf(directory: string): string | undefined
}

const statOf = (file: string) => lstatSync(file, { bigint: true })

export const oneByOne: Looking = {
  *into(directory) {
    for (const name of readdirSync(directory)) yield lookOf(name, statOf(`${directory}/${name}`))
  },
  sumOf: () => undefined,
}

export function lookOf(name: string, stat: Stat): Look {
  // Seven questions to a stat of great numbers take as long as the stat itself.
  const mode = Number(stat.mode)
  return {
    ...{ name, mode, changedAt: Number(stat.ctimeMs), names: Number(stat.nlink), stat: () => stat },
    stamp: `${stat.ino}:${stat.size}:${mode}:${stat.mtimeNs}:${stat.ctimeNs}`,
    inode: `${stat.dev}:${stat.ino}`,
  }
}

/**
 * The same of all directories below one, looked at beforehand, without some names: `find` of GNU takes a third of the
 * time, and another processor. Undefined where it is missing or stumbles.
 */
export async function lookBelow(
  directory: string,
  exclude: ReadonlySet<string>,
): Promise<Looking | undefined> {
  const below = await listed(directory, exclude).catch(() => undefined)
  if (!below) return undefined
  const pathOf = (asked: string) => asked.slice(directory.length + 1)
  return {
    *into(asked) {
      const printed = below.get(pathOf(asked)) ?? []
      below.delete(pathOf(asked))
      for (const some of printed) {
        const parts = some.toString('utf8').split('\0')
        for (let i = 0; i + 1 < parts.length; i += 2) yield lookAs(asked, nameOf(parts[i]!), parts[i + 1]!)
      }
    },
    sumOf(asked) {
      const printed = below.get(pathOf(asked)) ?? []
      if (printed.some((some) => some.includes(DIRECTORY))) return undefined
      const sum = createHash('sha256')
      for (const some of printed) sum.update(some)
      return sum.digest('base64url')
    },
  }
}

/**
 * What `find` prints of all that is in each directory, by its path below, in as few pieces as possible; undefined when it
 * did not see everything.
 */
async function listed(
  directory: string,
  exclude: ReadonlySet<string>,
): Promise<Map<string, Buffer[]> | undefined> {
  const plain = (name: string) => name.replaceAll(/[\\*?[\]]/g, '\\$&')
  const pruned = [...exclude].flatMap((name) => ['-name', plain(name), '-prune', '-o'])
  // A file takes what comes sooner than somebody who has other things to do; nobody else finds it.
  const file = join(tmpdir(), `kumi-look-${randomUUID()}`)
  const output = openSync(file, 'wx+', 0o600)
  try {
    rmSync(file)
    const find = spawn('find', [directory, '-mindepth', '1', ...pruned, '-printf', FACTS], {
      ...{ stdio: ['ignore', output, 'ignore'], env: { ...process.env, LC_ALL: 'C' } },
    })
    const printed = byDirectory(output)
    // What is there already, whenever there is nothing else to do.
    const meanwhile = setInterval(() => {
      try {
        printed()
      } catch {
        // Nobody is there to hear it; it is read again.
      }
    }, MEANWHILE_MS)
    const whole = await new Promise<boolean>((resolve) => {
      find.once('error', () => resolve(false)).once('close', (code) => resolve(code === 0))
    }).finally(() => clearInterval(meanwhile))
    return whole ? printed() : undefined
  } finally {
    closeSync(output)
  }
}
const MEANWHILE_MS = 10

/** Sorts what was printed since it was asked the last time. */
function byDirectory(output: number): () => Map<string, Buffer[]> {
  const below = new Map<string, Buffer[]>()
  const part = Buffer.allocUnsafe(BLOCK_BYTES)
  let [at, rest] = [0, Buffer.alloc(0)]
  return () => {
    for (;;) {
      const read = readSync(output, part, 0, BLOCK_BYTES, at)
      if (read === 0) return below
      rest = sortIn(below, Buffer.concat([rest, part.subarray(0, read)]))
      at += read
    }
  }
}
const BLOCK_BYTES = 1 << 20

/** Adds what is whole of a block to its directories, and returns the rest. */
function sortIn(below: Map<string, Buffer[]>, block: Buffer): Buffer<ArrayBuffer> {
  // A character for each byte: looking for something in a text is several times as fast as in bytes.
  const text = block.toString('latin1')
  let [from, at, parent] = [0, 0, '']
  const take = () => {
    if (at === from) return
    const path = block.toString('utf8', from, from + parent.length)
    const known = below.get(path)
    if (known) known.push(block.subarray(from, at))
    else below.set(path, [block.subarray(from, at)])
    from = at
  }
  for (let end = text.indexOf('\0'); end >= 0; end = text.indexOf('\0', at)) {
    const last = text.indexOf('\0', end + 1)
    if (last < 0) break
    const slash = Math.max(at, text.lastIndexOf('/', end))
    if (slash - at !== parent.length || !text.startsWith(parent, at)) {
      take()
      parent = text.slice(at, slash)
    }
    at = last + 1
  }
  take()
  return Buffer.from(block.subarray(at))
}
const FACTS = '%P\\0%y %m %i %n %s %T@ %C@ %D\\0'
/** What is a directory, or has a name that looks like that. */
const DIRECTORY = '\0d '
const FORM = /^(\w) (\d+) (\d+) (\d+) \d+ \S+ (\S+) (\d+)$/
const KINDS: Readonly<Record<string, number>> = {
  ...{ f: constants.S_IFREG, d: constants.S_IFDIR, l: constants.S_IFLNK, p: constants.S_IFIFO },
}

function lookAs(directory: string, name: string, facts: string): Look {
  const [, kind, permissions, inode, names, changedAt, device] = FORM.exec(facts)!
  return {
    ...{ name, names: Number(names), inode: `${device}:${inode}` },
    mode: (KINDS[kind!] ?? 0) | Number.parseInt(permissions!, 8),
    changedAt: Math.floor(1000 * Number(changedAt)),
    // Devices may have other numbers when a machine was started anew.
    stamp: facts.slice(0, facts.lastIndexOf(' ')),
    stat: () => statOf(`${directory}/${name}`),
  }
}

/** A directory, being looked at since a time in ms since 1970; good for one publication. */
export interface BegunLook {
  readonly at: number
  readonly looking: Promise<Looking | undefined>
}

export const beginLook = (directory: string, exclude: ReadonlySet<string>): BegunLook => ({
  at: Date.now(),
  looking: lookBelow(directory, exclude),
})
