import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { basename, dirname, extname, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { type ArchivedFile, tarBlocks } from './tar.ts'

/** A program with everything it needs to run where nothing is installed. */
export interface Bundle {
  /** Equal content has an equal name. */
  readonly name: string
  /** The program, inside. */
  readonly program: string
  /** Node, inside; null: it is not in the bundle. */
  readonly node: string | null
  /** As a compressed tar archive. */
  archive(): Readable
}

interface Source {
  readonly name: string
  readonly path: string
}

const IMPORT = /\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g
/** A thread is a program of its own, beside the module that starts it. */
const THREAD = /\bcreateThreads\(\s*import\.meta\.url,\s*['"]([^'"]+)['"]/g
/** Of packages what only people and compilers read. */
const NOT_RUN = /(\.(map|md|ts|mts|cts|markdown|flow)|^LICENSE.*)$/i

/** The bundle of a program: its modules, the packages they import, and with `node` the Node that runs here. */
export function bundleOf(program: string, { node }: { readonly node: boolean }): Bundle {
  const entry = realpathSync(program)
  const { modules, packages } = closure(entry)
  const root = commonDirectory(modules)
  const inside = (path: string) => join('app', relative(root, path))
  const sources: Source[] = [
    ...modules.map((path) => ({ name: inside(path), path })),
    ...[...packages].flatMap(([name, directory]) => filesOf(directory, join('app', 'node_modules', name))),
    ...(node ? [{ name: 'node', path: process.execPath }] : []),
  ].sort((a, b) => (a.name < b.name ? -1 : 1))
  const marker = { name: 'app/package.json', mode: 0o600, content: Buffer.from('{"type":"module"}\n') }
  function* files(): Generator<ArchivedFile> {
    yield marker
    for (const { name, path } of sources)
      yield { name, mode: name === 'node' ? 0o700 : 0o600, content: readFileSync(path) }
  }
  const hash = createHash('sha256')
  for (const { name, content } of files()) hash.update(`${name}\0${content.length}\0`).update(content)
  return {
    name: hash.digest('hex').slice(0, 32),
    program: inside(entry),
    node: node ? 'node' : null,
    archive: () => Readable.from(tarBlocks(files())).pipe(createGzip({ level: 1 })),
  }
}

/** All modules that a program reaches by relative imports or as threads, and the packages, with those that they in turn need. */
function closure(entry: string): { modules: string[]; packages: Map<string, string> } {
  const modules = new Set([entry])
  const packages = new Map<string, string>()
  for (const file of modules) {
    const text = readFileSync(file, 'utf8')
    for (const [, name] of text.matchAll(THREAD)) modules.add(join(dirname(file), `${name}${extname(file)}`))
    for (const [, wanted] of text.matchAll(IMPORT)) {
      if (isBuiltin(wanted!)) continue
      if (wanted!.startsWith('.')) {
        const path = join(dirname(file), wanted!)
        if (existsSync(path)) modules.add(path)
      } else addPackage(packages, wanted!, file)
    }
  }
  return { modules: [...modules], packages }
}

function addPackage(packages: Map<string, string>, wanted: string, from: string): void {
  const name = wanted
    .split('/')
    .slice(0, wanted.startsWith('@') ? 2 : 1)
    .join('/')
  if (packages.has(name)) return
  const places = createRequire(from).resolve.paths(name) ?? []
  const directory = places
    .map((place) => join(place, name))
    .find((at) => existsSync(join(at, 'package.json')))
  if (!directory) return
  const real = realpathSync(directory)
  packages.set(name, real)
  const { dependencies = {} } = JSON.parse(readFileSync(join(real, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  for (const next of Object.keys(dependencies))
    if (!existsSync(join(real, 'node_modules', next))) addPackage(packages, next, join(real, 'package.json'))
}

function filesOf(directory: string, name: string): Source[] {
  return readdirSync(directory).flatMap((entry) => {
    const path = join(directory, entry)
    if (statSync(path).isDirectory()) return filesOf(path, join(name, entry))
    return NOT_RUN.test(basename(entry)) ? [] : [{ name: join(name, entry), path }]
  })
}

function commonDirectory(files: readonly string[]): string {
  return files.map(dirname).reduce((common, directory) => {
    let at = common
    while (relative(at, directory).startsWith('..')) at = dirname(at)
    return at
  })
}
