import { execFile } from 'node:child_process'
import { appendFileSync, chmodSync, mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A real Slurm behind a real sshd, added to a grid as a site of its own. */
export async function addSlurmSite({ root, home, facts, kumi }) {
  const script = join(root, 'test/harness/slurm-lab.sh')
  const directory = mkdtempSync(join(tmpdir(), 'kumi-slurm-'))
  chmodSync(directory, 0o755)
  // Pilots of another account read the authority there.
  chmodSync(home.path, 0o711)
  const ports = [await freePort(), await freePort(), await freePort()]
  await run(script, ['start', directory, ...ports.map(String)])
  const text = (name) => readFileSync(join(directory, name), 'utf8').trim()
  const site = 'lab'
  await kumi(
    ...[
      'site',
      'add',
      site,
      '--slurm',
      `${text('user')}@127.0.0.1:${text('port')}`,
      '--through',
      facts.sites[0].name,
    ],
    ...['--partition', 'long', '--host-key', text('host-key'), '--poll', '2', '--hours', '1', '--cores', '2'],
    ...['--memory', '1024', '--disk', '2048', '--pilots', '3', '--waiting', '3'],
  )
  const told = await kumi('site', 'test', site).catch((error) => error.stdout)
  appendFileSync(join(directory, 'authorized_keys'), `${/ssh-ed25519 .*/.exec(told)[0]}\n`)
  return {
    site,
    pidOf: (name) => Number(text(`pid/${name}`)),
    restart: (name) => run(script, ['restart', directory, name]),
    stop: () => run(script, ['stop', directory]),
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
