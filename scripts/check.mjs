// Static checks: types, style, the floors of the house, file sizes, a README in every room.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const LIMIT = 500
/** Tables of data that are long by nature, each with its reason. */
const LONG_BY_NATURE = new Set([])
const problems = []

function run(name, command, args) {
  const { status, stdout, stderr } = spawnSync(join('node_modules', '.bin', command), args, {
    encoding: 'utf8',
    // The graph of all modules is long.
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) problems.push(`${name}:\n${stdout}${stderr}`)
  return stdout
}

run('types', 'tsc', ['--noEmit', '-p', 'tsconfig.test.json'])
if (existsSync('web/tsconfig.json'))
  run('types of the console', 'tsc', ['--noEmit', '-p', 'web/tsconfig.json'])
run('style', 'biome', ['check', '--error-on-warnings', '.'])

const graph = run('floors', 'depcruise', [
  'src',
  '--config',
  '.dependency-cruiser.cjs',
  '--output-type',
  'json',
])
const { summary } = JSON.parse(graph)
// A cruiser that cannot read TypeScript finds nothing and is content; so make sure that it looked.
const sources = readdirSync('src', { recursive: true }).filter(
  (file) => /\.ts$/.test(file) && !file.endsWith('.d.ts'),
)
if (summary.totalCruised < sources.length) {
  problems.push(`floors: only ${summary.totalCruised} of ${sources.length} source files were looked at`)
}
for (const v of summary.violations) problems.push(`floors: ${v.rule.name}: ${v.from} → ${v.to}`)

for (const file of sources) {
  if (file.endsWith('.test.ts') || LONG_BY_NATURE.has(file)) continue
  const lines = readFileSync(join('src', file), 'utf8').split('\n').length - 1
  if (lines > LIMIT) problems.push(`src/${file} has ${lines} lines; the limit is ${LIMIT}`)
}
for (const room of readdirSync('src', { withFileTypes: true })) {
  if (room.isDirectory() && !existsSync(join('src', room.name, 'README.md'))) {
    problems.push(`src/${room.name} has no README.md`)
  }
}

for (const problem of problems) console.error(problem)
console.log(
  `${summary.totalCruised} modules, ${summary.totalDependenciesCruised} imports, ${problems.length} problems`,
)
process.exit(problems.length === 0 ? 0 : 1)
