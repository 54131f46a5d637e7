import { treesOf } from '../../storage/root/trees.ts'

/**
 * Number of entries of a ROOT file (path or its bytes): of the tree called `treeName`, or of the largest tree or
 * ntuple. Undefined when the file holds none. Reads the headers only.
 */
export async function readRootEvents(
  source: string | Uint8Array,
  treeName?: string,
): Promise<number | undefined> {
  const { openFile } = await import('jsroot/io')
  const file = await openFile(typeof source === 'string' ? `file://${source}` : source.slice().buffer)
  const trees = (await treesOf(file)).filter(({ name }) => treeName === undefined || name === treeName)
  return trees.length === 0 ? undefined : Math.max(...trees.map(({ entries }) => entries))
}
