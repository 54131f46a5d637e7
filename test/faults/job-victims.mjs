import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

export const VICTIMS = ['pilot', 'host', 'server', 'postgres', 'gateway', 'cut', 'late']
export const SLURM_VICTIMS = ['slurmd', 'sshd']

/** What can be done to a grid that runs jobs; each says what it did, or nothing when nobody was there. */
export function openVictims({ home, grid, line, cluster, cutSeconds }) {
  return {
    async pilot() {
      const [pid] = pilots(home)
      return pid && killed(pid, 'pilot')
    },
    /** The script that starts a pilot and notes how it ended. */
    async host() {
      const [pid] = pilots(home)
      return pid && killed(parentOf(pid), 'script of pilot')
    },
    server: () => grid.kill('server').then(() => 'killed'),
    postgres: () => grid.kill('postgres').then(() => 'killed'),
    gateway: () => grid.kill(`gateway-${readdirSync(home.sites).sort()[0]}`).then(() => 'killed'),
    async cut({ rng }) {
      const seconds = cutSeconds || Math.round(5 + 55 * rng.next())
      line.cut()
      await delay(seconds * 1000)
      line.mend()
      return `the site was alone for ${seconds} s`
    },
    late: ({ jobs }) => late(home, jobs),
    slurmd: () => daemon(cluster, 'slurmd'),
    sshd: () => daemon(cluster, 'sshd'),
  }
}

async function daemon(cluster, name) {
  const pid = cluster.pidOf(name)
  process.kill(pid, 'SIGKILL')
  await delay(2000)
  await cluster.restart(name)
  return `${name} ${pid}, back after 2 s`
}

function killed(pid, what) {
  try {
    process.kill(pid, 'SIGKILL')
    return `${what} ${pid}`
  } catch {
    return undefined
  }
}

/**
 * A pilot with all it started is stopped in the middle of its jobs. For these the hours pass in which nobody hears of
 * it, so they are given to others; when they are done the pilot goes on, and what it says then must not count.
 */
async function late(home, jobs) {
  const client = new pg.Client({ host: home.postgres, port: 5432, user: 'kumi', database: 'kumi' })
  await client.connect()
  const ask = async (text, values) => (await client.query(text, values)).rows
  const stopped = []
  try {
    let held = []
    for (let tries = 0; tries < 40 && held.length === 0; tries++) {
      await delay(250)
      held = await ask(
        `select j.id, j.attempt, p.stamp from job j join pilot p on p.id = j.pilot_id where j.id = any($1::bigint[]) and j.state = 8`,
        [jobs],
      )
      const stamp = held[0]?.stamp
      held = held.filter((job) => job.stamp === stamp)
      const pid = stamp && pilots(home, stamp)[0]
      if (!pid) held = []
      else for (const one of [pid, ...descendants(pid)]) if (signalled(one, 'SIGSTOP')) stopped.push(one)
    }
    if (held.length === 0) return undefined
    const ids = held.map(({ id }) => id)
    const began = new Map(held.map(({ id, attempt }) => [id, attempt]))
    for (const until = Date.now() + 120_000; ; await delay(300)) {
      // What was under way when it was stopped may still have come through: that job is done, and not given to others.
      const now = await ask(
        `select id, attempt, state from job where id = any($1::bigint[]) and state not between 12 and 15`,
        [ids],
      )
      const silent = now.filter(({ id, attempt }) => attempt === began.get(id))
      if (now.length === 0) break
      if (Date.now() > until) throw new Error(`not given to others: ${JSON.stringify(now)}`)
      await ask(
        `update job set deadline = now() - interval '1 second' where id = any($1::bigint[]) and state in (6, 8, 9, 10)`,
        [silent.map(({ id }) => id)],
      )
    }
    return `a pilot slept through the end of ${ids.length} jobs of its own`
  } finally {
    for (const pid of stopped) signalled(pid, 'SIGCONT')
    await client.end()
    // It reports at once, or with its next heartbeat.
    await delay(7_000)
  }
}

function signalled(pid, signal) {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}

/** Pilots that run at the sites of this home; of that stamp where one is named. */
function pilots(home, stamp = '') {
  return processes().flatMap(({ pid, command }) => {
    const isPilot = command.some((word) => word.endsWith('pilot/main.js')) && !command[0].endsWith('sh')
    const isOurs = command.some((word) => word.startsWith(home.path) && word.includes(stamp))
    return isPilot && isOurs ? [pid] : []
  })
}

function descendants(of) {
  const all = processes()
  const below = (pid) => all.filter(({ parent }) => parent === pid).flatMap(({ pid }) => [pid, ...below(pid)])
  return below(of)
}

const parentOf = (pid) => processes().find((one) => one.pid === pid)?.parent

function processes() {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        const command = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0')
        const parent = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))[1])
        return [{ pid: Number(entry), parent, command }]
      } catch {
        // It ended meanwhile.
        return []
      }
    })
}
