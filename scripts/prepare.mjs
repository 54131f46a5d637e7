// Brings a checkout to the state a command needs: dependencies installed, sources compiled, console built. Plain
// JavaScript without dependencies, because it runs before anything is installed. Each step is skipped when the
// hash of what it depends on is unchanged, so a second start costs a few milliseconds.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `kumi needs Node.js 20.19 or newer; this is ${process.versions.node}. Get a current one from your distribution.`,
  )
  process.exit(1)
}
/** Times of files are at least this exact, on whatever they are kept. */
const CLOCK_MS = 2000
const target = process.argv[2] ?? 'build'
const quiet = process.argv.includes('--quiet')

/** All files below the given paths, sorted. */
function filesBelow(...paths) {
  const found = []
  const visit = (path) => {
    const full = join(root, path)
    if (!existsSync(full)) return
    const entries = readdirSync(full, { withFileTypes: true })
    for (const entry of entries) {
      if (entry.isDirectory()) visit(join(path, entry.name))
      else found.push(join(path, entry.name))
    }
  }
  for (const path of paths) {
    if (existsSync(join(root, path)) && !readdirIsPossible(path)) found.push(path)
    else visit(path)
  }
  return found.sort()
}

function readdirIsPossible(path) {
  try {
    readdirSync(join(root, path))
    return true
  } catch {
    return false
  }
}

function hashOf(files) {
  const hash = createHash('sha256').update(process.versions.node)
  for (const file of files)
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(root, file)))
      .update('\0')
  return hash.digest('hex')
}

const stampIs = (file, hash) =>
  existsSync(join(root, file)) && readFileSync(join(root, file), 'utf8') === hash
const say = (text) => {
  if (!quiet) console.error(text)
}

async function step(name, stamp, hash, work) {
  if (stampIs(stamp, hash)) return
  const start = Date.now()
  say(`${name} …`)
  await work()
  mkdirSync(dirname(join(root, stamp)), { recursive: true })
  writeFileSync(join(root, stamp), hash)
  say(`${name}: ${((Date.now() - start) / 1000).toFixed(1)} s`)
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    // Standard output is the command's own (JSON, tables): what preparation prints goes to standard error.
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', reject)
    child.on('exit', (code) =>
      code === 0
        ? resolve(output)
        : reject(new Error(`${command} ${args.join(' ')} ended with ${code}\n${output}`)),
    )
  })
}

/** One preparation at a time in a checkout: two `npm start` at once wait for each other. */
async function withLock(work) {
  const lock = join(root, '.prepare.lock')
  const alive = (pid) => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  }
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      break
    } catch (error) {
      if (error.code !== 'EEXIST') return work() // a read-only installation is already prepared
      const owner = existsSync(lock) ? Number(readFileSync(lock, 'utf8')) : 0
      if (owner && !alive(owner)) rmSync(lock, { force: true })
      else await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  try {
    await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Compiles into a fresh directory and swaps it in, so that no stale or half-written file is ever run. */
async function replaceDirectory(directory, build) {
  const [fresh, old] = [`${directory}.new`, `${directory}.old`]
  const remove = (path) => rmSync(join(root, path), { recursive: true, force: true })
  for (const left of [fresh, old]) remove(left)
  await build(fresh)
  mkdirSync(dirname(join(root, directory)), { recursive: true })
  // Removing takes a while, and commands that start meanwhile look for their files here.
  if (existsSync(join(root, directory))) renameSync(join(root, directory), join(root, old))
  renameSync(join(root, fresh), join(root, directory))
  remove(old)
}

async function prepare() {
  const install = hashOf(['package.json', 'package-lock.json'])
  if (
    lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() &&
    !stampIs('node_modules/.kumi-installed', install)
  ) {
    throw new Error(
      'node_modules is a link to another directory, which an installation would empty. Remove the link and try again.',
    )
  }
  await step('Installing packages', 'node_modules/.kumi-installed', install, () =>
    run('npm', ['ci', '--no-audit', '--no-fund']),
  )
  if (target === 'install') return
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const server = hashOf([
    ...filesBelow('src', 'bench').filter((f) => !/\.test\.ts$/.test(f)),
    'tsconfig.json',
    'package-lock.json',
    'scripts/prepare.mjs',
    'scripts/bundle.mjs',
  ])
  await step('Compiling', 'dist/.server-built', server, async () => {
    await replaceDirectory('dist/src', async (fresh) => {
      rmSync(join(root, 'dist', 'build'), { recursive: true, force: true })
      await run(tsc, ['--outDir', 'dist/build'])
      cpSync(join(root, 'dist/build/src'), join(root, fresh), { recursive: true })
      if (existsSync(join(root, 'dist/build/bench'))) {
        rmSync(join(root, 'dist/bench'), { recursive: true, force: true })
        cpSync(join(root, 'dist/build/bench'), join(root, 'dist/bench'), { recursive: true })
      }
      rmSync(join(root, 'dist', 'build'), { recursive: true, force: true })
      for (const file of filesBelow('src').filter((f) => /\.(sql|json|html|svg)$/.test(f))) {
        const to = join(root, fresh, relative('src', file))
        mkdirSync(dirname(to), { recursive: true })
        cpSync(join(root, file), to)
      }
      await run(process.execPath, [join(root, 'scripts', 'bundle.mjs'), join(root, fresh)])
    })
  })
  if (!existsSync(join(root, 'web'))) return
  const web = hashOf([...filesBelow('web'), 'package-lock.json', 'scripts/prepare.mjs'])
  await step('Building the console', 'dist/.web-built', web, () =>
    replaceDirectory('dist/web', (fresh) =>
      run(join(root, 'node_modules', '.bin', 'vite'), [
        'build',
        'web',
        '--outDir',
        join(root, fresh),
        '--emptyOutDir',
        '--logLevel',
        'warn',
      ]),
    ),
  )
}

/**
 * What files are by their directory entries: enough to see that none changed since the last time, without reading them
 * and without waiting for anybody. Whatever is done to a file, its inode gets another time.
 */
function entriesOf(files) {
  const hash = createHash('sha256').update(process.versions.node)
  for (const file of files) {
    const { ino, size, mtimeMs, ctimeMs } = lstatSync(join(root, file), { throwIfNoEntry: false }) ?? {}
    hash.update(`${file} ${ino} ${size} ${mtimeMs} ${ctimeMs}\n`)
  }
  return hash.digest('hex')
}
/** `kumi` looks at the same. */
const sources = () => [
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/prepare.mjs', 'scripts/bundle.mjs'],
  ...(target === 'build' ? filesBelow('src', 'bench', 'web') : []),
]
const started = new Date(Date.now() - CLOCK_MS)
const stamps = [
  'node_modules/.kumi-installed',
  ...(target === 'build' ? ['dist/.server-built', 'dist/.web-built'] : []),
]

const note = `dist/.seen-${target}`
// What changes while it is being built is seen the next time.
const before = entriesOf(sources())
const seen = () => `${before} ${entriesOf(stamps)}`
if (!existsSync(join(root, note)) || !readFileSync(join(root, note), 'utf8').startsWith(seen())) {
  await withLock(prepare).catch((error) => {
    console.error(error.message)
    process.exit(1)
  })
}
writeNote()

/** `kumi` starts nothing to prepare while no source is newer than this and Node.js is the one of its last word. */
function writeNote() {
  try {
    const path = join(root, note)
    const fresh = `${path}.${process.pid}`
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(fresh, `${seen()} ${process.argv0}\n`)
    utimesSync(fresh, started, started)
    renameSync(fresh, path)
  } catch {
    // An installation that nobody may write to is looked at whole every time.
  }
}
