import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { defaultHome, homeAt, isAlive, readPid } from '../../embedded/index.ts'
import { purgeEmbeddedPostgres } from '../../kernel/embedded-postgres.ts'
import { defineError } from '../../kernel/errors.ts'

const notAHome = defineError('invalid', 'not_a_home')
const stillRunning = defineError('fatal', 'still_running')

export async function down(options: { home?: string; purge?: boolean }): Promise<void> {
  const home = homeAt(options.home ?? defaultHome())
  if (options.purge && existsSync(home.path) && !existsSync(home.run)) {
    throw notAHome(`${home.path} does not look like the home of a grid; nothing was removed.`)
  }
  const pid = readPid(join(home.run, 'supervisor.pid'))
  if (pid !== undefined && isAlive(pid)) {
    process.kill(pid, 'SIGTERM')
    for (let waited = 0; isAlive(pid); waited += 50) {
      if (waited > 60_000) throw stillRunning(`The grid (pid ${pid}) has not stopped within a minute.`)
      await delay(50)
    }
    console.error('The grid has stopped.')
  } else {
    console.error('The grid was not running.')
  }
  await stopOrphanedPostgres(join(home.postgres, 'data', 'postmaster.pid'))
  if (!options.purge) return
  await purgeEmbeddedPostgres(home.postgres)
  rmSync(home.path, { recursive: true, force: true })
  console.error(`Removed ${home.path}.`)
}

/** A supervisor that was killed with -9 leaves PostgreSQL running; nobody else would stop it. */
async function stopOrphanedPostgres(pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
  if (!pid || !isPostgres(pid)) return
  process.kill(pid, 'SIGINT')
  while (isAlive(pid)) await delay(50)
}

/** Guards against a process number that was given to somebody else after a reboot. */
function isPostgres(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!.endsWith('postgres')
  } catch {
    return isAlive(pid)
  }
}
