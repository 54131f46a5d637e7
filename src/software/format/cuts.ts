import { keyOf } from './catalog.ts'
import type { DirectoryWeight } from './catalog-edit.ts'

interface Weighed {
  readonly path: string
  readonly children: Weighed[]
  /** Entries in the catalogue below it, itself included, minus what is cut out. */
  weight: number
  readonly mountpoint: boolean
}

/**
 * Directories to be cut out of a catalogue so that, where possible, no part has more than `most` entries and none cut
 * out has fewer than `least`. Pure; deepest first, heaviest first.
 */
export function chooseCuts(
  directories: readonly DirectoryWeight[],
  root: { key: string; path: string },
  { most, least }: { most: number; least: number },
): string[] {
  const below = new Map<string, DirectoryWeight[]>()
  let top: DirectoryWeight | undefined
  for (const directory of directories) {
    if (keyOf(directory.key[0]!, directory.key[1]!) === root.key) {
      top = directory
      continue
    }
    const parent = keyOf(directory.parent[0]!, directory.parent[1]!)
    const beside = below.get(parent)
    if (beside) beside.push(directory)
    else below.set(parent, [directory])
  }
  if (!top) return []
  // Without recursion: trees may be deep. Parents come before their children.
  const all: Weighed[] = []
  const open: [DirectoryWeight, Weighed | undefined][] = [[top, undefined]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [directory, parent] = next
    const weighed: Weighed = {
      path: parent ? `${parent.path}/${directory.name}` : root.path,
      children: [],
      weight: 1 + directory.files,
      mountpoint: directory.mountpoint,
    }
    parent?.children.push(weighed)
    all.push(weighed)
    for (const child of below.get(keyOf(directory.key[0]!, directory.key[1]!)) ?? [])
      open.push([child, weighed])
  }
  const cuts: string[] = []
  for (const directory of all.reverse()) {
    for (const child of directory.children) directory.weight += child.weight
    const heaviest = directory.children
      .filter((child) => !child.mountpoint)
      .sort((a, b) => b.weight - a.weight)
    for (const child of heaviest) {
      if (directory.weight <= most || child.weight < least) break
      cuts.push(child.path)
      // Its row stays as the mount point.
      directory.weight -= child.weight - 1
    }
  }
  return cuts
}
