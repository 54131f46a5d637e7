import type { RootFile } from 'jsroot/io'

export interface TreeCount {
  readonly name: string
  readonly entries: number
}

const CLASSES = /^(TTree|TNtuple|TNtupleD|ROOT::RNTuple|ROOT::Experimental::RNTuple)$/

/** Trees and ntuples at the top of a ROOT file with their entries; of several cycles of a name the newest counts. */
export async function treesOf(file: RootFile): Promise<TreeCount[]> {
  const classes = new Map<string, string>()
  for (const { fName, fClassName } of file.fKeys)
    if (CLASSES.test(fClassName) && !classes.has(fName)) classes.set(fName, fClassName)
  const found: TreeCount[] = []
  for (const [name, className] of classes)
    found.push({ name, entries: await entriesOf(file, name, className) })
  return found
}

async function entriesOf(file: RootFile, name: string, className: string): Promise<number> {
  const object = await file.readObject(name)
  if (!className.includes('RNTuple')) return Number(object.fEntries ?? 0)
  const { readHeaderFooter } = await import('jsroot/rntuple')
  await readHeaderFooter(object)
  const builder = object.builder as { clusterSummaries?: { numEntries: number | bigint }[] } | undefined
  return (builder?.clusterSummaries ?? []).reduce((sum, cluster) => sum + Number(cluster.numEntries), 0)
}
