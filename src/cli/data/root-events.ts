import type { RootFile } from 'jsroot/io'

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
  const trees = file.fKeys.filter(
    (key) =>
      /^(TTree|TNtuple|TNtupleD|ROOT::RNTuple|ROOT::Experimental::RNTuple)$/.test(key.fClassName) &&
      (treeName === undefined || key.fName === treeName),
  )
  const counts = await Promise.all(trees.map((key) => entriesOf(file, key.fName, key.fClassName)))
  return counts.length === 0 ? undefined : Math.max(...counts)
}

async function entriesOf(file: RootFile, name: string, className: string): Promise<number> {
  const object = await file.readObject(name)
  if (!className.includes('RNTuple')) return Number(object.fEntries ?? 0)
  const { readHeaderFooter } = await import('jsroot/rntuple')
  await readHeaderFooter(object)
  const builder = object.builder as { clusterSummaries?: { numEntries: number | bigint }[] } | undefined
  return (builder?.clusterSummaries ?? []).reduce((sum, cluster) => sum + Number(cluster.numEntries), 0)
}
