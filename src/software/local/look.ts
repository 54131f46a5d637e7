import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, lstatSync, readdirSync } from 'node:fs'

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
      const texts = below.get(pathOf(asked)) ?? []
      below.delete(pathOf(asked))
      for (let i = 0; i < texts.length; i += 2) yield lookAs(asked, texts[i]!, texts[i + 1]!)
    },
    sumOf(asked) {
      const texts = below.get(pathOf(asked)) ?? []
      if (texts.some((text, i) => i % 2 === 1 && text.includes(DIRECTORY))) return undefined
      return createHash('sha256').update(texts.join('\0')).digest('base64url')
    },
  }
}

/** Names and facts in turn of what is in each directory, by its path below; undefined when not everything was seen. */
async function listed(
  directory: string,
  exclude: ReadonlySet<string>,
): Promise<Map<string, string[]> | undefined> {
  const plain = (name: string) => name.replaceAll(/[\\*?[\]]/g, '\\$&')
  const pruned = [...exclude].flatMap((name) => ['-name', plain(name), '-prune', '-o'])
  const find = spawn('find', [directory, '-mindepth', '1', ...pruned, '-printf', FACTS], {
    ...{ stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, LC_ALL: 'C' } },
  })
  const whole = new Promise<boolean>((resolve) => {
    find.once('error', () => resolve(false)).once('close', (code) => resolve(code === 0))
  })
  const below = new Map<string, string[]>()
  let [rest, last, inside]: [string, string | undefined, string[]] = ['', undefined, []]
  for await (const part of find.stdout.setEncoding('utf8')) {
    const texts = `${rest}${part}`.split('\0')
    // A path without its facts, or half of one of them.
    rest = texts.splice(texts.length - (texts.length % 2 === 0 ? 2 : 1)).join('\0')
    for (let i = 0; i < texts.length; i += 2) {
      const path = texts[i]!
      const slash = path.lastIndexOf('/')
      const parent = path.slice(0, Math.max(0, slash))
      if (parent !== last) {
        inside = below.get(parent) ?? []
        below.set(parent, inside)
        last = parent
      }
      inside.push(path.slice(slash + 1), texts[i + 1]!)
    }
  }
  return (await whole) ? below : undefined
}
const DIRECTORY = ' d '
const FACTS = '%P\\0%D:%i %n %y %m %s %T@ %C@\\0'
const FORM = /^(\d+:\d+) (\d+) (\w) (\d+) \d+ \S+ (\S+)$/
const KINDS: Readonly<Record<string, number>> = {
  ...{ f: constants.S_IFREG, d: constants.S_IFDIR, l: constants.S_IFLNK, p: constants.S_IFIFO },
}

function lookAs(directory: string, name: string, facts: string): Look {
  const [, inode, names, kind, permissions, changedAt] = FORM.exec(facts)!
  return {
    ...{ name, inode: inode!, names: Number(names), changedAt: Math.floor(1000 * Number(changedAt)) },
    mode: (KINDS[kind!] ?? 0) | Number.parseInt(permissions!, 8),
    // Devices may have other numbers when a machine was started anew.
    stamp: facts.slice(facts.indexOf(':') + 1),
    stat: () => statOf(`${directory}/${name}`),
  }
}
