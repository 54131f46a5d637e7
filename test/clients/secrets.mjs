// Nothing secret may be written down where it does not belong: looks for every secret of a running grid's home, and
// for anything that looks like a token or a private key, in all its logs and in the command lines of its processes.
//   node test/clients/secrets.mjs HOME
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const home = process.argv[2]
const LOOKS_SECRET = /eyJ[\w-]{8,}\.[\w-]{8,}|BEGIN [A-Z ]*PRIVATE KEY/
const SHORTEST = 12
let passed = 0
let failed = 0

function check(name, problems) {
  if (problems.length === 0) passed += 1
  else failed += 1
  console.log(
    problems.length === 0 ? `ok - ${name}` : `FAIL - ${name}\n  ${problems.slice(0, 5).join('\n  ')}`,
  )
}

function* filesBelow(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

/** Contents of the closed files that hold one secret each, and each secret of those that hold several. */
function secretsOf(directory) {
  const found = new Map()
  for (const place of ['client', 'server', 'ca', 'sites']) {
    for (const file of filesBelow(join(directory, place))) {
      const { mode, size } = statSync(file)
      if ((mode & 0o077) !== 0 || size > 65_536 || file.includes('/storage/')) continue
      const text = readFileSync(file, 'utf8')
      const parts = text.startsWith('{')
        ? [...text.matchAll(/"(?:\w*(?:secret|token|password|key))":\s*"([^"]+)"/gi)].map(([, s]) => s)
        : text.split(/\s+|=/)
      for (const part of parts)
        if (part.length >= SHORTEST && !/^[/-]|^https?:|^-+/.test(part)) found.set(part, file)
    }
  }
  return found
}

const secrets = secretsOf(home)
check(`the home has secrets to look for`, secrets.size >= 8 ? [] : [`only ${secrets.size} found`])
const logs = [...filesBelow(join(home, 'logs')), join(home, 'postgres', 'postgres.log')]
const bytes = logs.reduce((sum, file) => sum + statSync(file).size, 0)
check('the logs have something to look through', bytes > 5_000 ? [] : [`only ${bytes} bytes`])

function leaksIn(name, text) {
  const problems = []
  const looks = LOOKS_SECRET.exec(text)
  if (looks) problems.push(`${name}: ${looks[0].slice(0, 12)}…`)
  for (const [secret, file] of secrets)
    if (text.includes(secret)) problems.push(`${name}: what ${file} holds`)
  return problems
}

check(
  'no secret is in a log',
  logs.flatMap((file) => leaksIn(file, readFileSync(file, 'utf8'))),
)
const commands = []
for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
  try {
    const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    if (line.includes(home) && Number(pid) !== process.pid) commands.push([pid, line])
  } catch {
    // ended in the meantime
  }
}
check('processes of the grid are running', commands.length >= 5 ? [] : [`only ${commands.length}`])
check(
  'no secret is in a command line',
  commands.flatMap(([pid, line]) => leaksIn(`process ${pid}`, line)),
)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
