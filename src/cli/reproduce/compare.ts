import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { treesOf } from '../../storage/root/trees.ts'

/**
 * What the trees of a ROOT file hold, name by name: entries and a sum over all values of all branches. Equal sums are
 * equal content, whatever time and identifier the program wrote into the head of the file.
 */
export async function treeSums(path: string): Promise<Record<string, string>> {
  const { openFile } = await import('jsroot/io')
  const { treeProcess, TSelector } = await import('jsroot/tree')
  const file = await openFile(new Uint8Array(await readFile(path)).buffer)
  const sums: Record<string, string> = {}
  for (const { name, entries } of await treesOf(file)) {
    const tree = await file.readObject(name)
    const branches = (tree.fBranches as { arr?: { fName: string }[] } | undefined)?.arr ?? []
    const selector = new TSelector()
    for (const { fName } of branches) selector.addBranch(fName)
    const hash = createHash('sha256')
    selector.Process = function () {
      for (const { fName } of branches) hash.update(`${fName}=${plain(this.tgtobj[fName])};`)
    }
    await treeProcess(tree, selector)
    sums[name] = `${entries} entries, ${branches.length} branches, ${hash.digest('hex')}`
  }
  return sums
}

const plain = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === 'bigint') return String(each)
    return ArrayBuffer.isView(each) ? Array.from(each as unknown as ArrayLike<number>) : each
  })
