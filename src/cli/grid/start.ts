import { defaultHome, homeAt, prepareHome, supervise } from '../../embedded/index.ts'
import { createReporter } from '../main-job/reporter.ts'
import { runMainJob } from '../main-job/run.ts'
import { summaryTable } from '../main-job/summary.ts'
import { secondsText } from '../terminal.ts'
import { adminToken, oneTimeLink } from './login.ts'
import { programDirectory } from './program-directory.ts'
import { interrupted, portOption } from './up.ts'

export interface StartOptions {
  home?: string
  port?: string
  once?: boolean
  json?: boolean
}

/** The demo: a whole grid, its main job with live progress, and then it is yours until Ctrl-C. */
export async function start(options: StartOptions): Promise<void> {
  const out = options.json ? process.stderr : process.stdout
  const began = Date.now()
  const home = homeAt(options.home ?? defaultHome())
  const port = portOption(options.port)
  const facts = await prepareHome(home, { ...(port && { port }) }, new Date())
  out.write(`Starting PostgreSQL, the server and ${facts.sites.length} gateways in ${home.path} …\n`)
  const grid = await supervise({
    home,
    facts,
    program: programDirectory,
    onNews: (text) => out.write(`    ${text}\n`),
  })
  const asked = interrupted()
  let stopped = false
  const stop = async (): Promise<void> => {
    if (!stopped) await grid.stop()
    stopped = true
  }
  try {
    const readyMs = Date.now() - began
    out.write(
      `Ready after ${secondsText(readyMs)}.\n\nThe main job: a run recorded at one site becomes safe at two others, and a plot.\n`,
    )
    const job = runMainJob({ home, facts, grid, reporter: createReporter(out), readySeconds: readyMs / 1000 })
    const summary = await Promise.race([job, asked.then(() => undefined)])
    if (!summary) {
      out.write('\nInterrupted; stopping. What was recorded is kept, and the next start goes on with it.\n')
      await stop()
      process.exit(130)
    }
    out.write(`\n${summaryTable(summary)}\n`)
    if (!options.once) {
      const login = { client: home.client, port: facts.port, vo: facts.vo }
      const link = await oneTimeLink(login, await adminToken(login))
      const kumi = `kumi --home ${home.path}`
      out.write(`
The grid stays up until Ctrl-C.
  Look at it     ${link}
  Try            eval "$(./kumi env --home ${home.path})"
                 ./kumi site ls
                 ./kumi data ls
                 ./kumi rule ls
                 ./kumi lineage ${summary.did} --depth 4
  Foreign tools  rucio, gfal-*, davix-*, rclone and curl work with the variables of: ${kumi} env
`)
      await asked
      out.write('\nStopping …\n')
    }
    await stop()
    if (options.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
    process.exit(0)
  } catch (error) {
    await stop()
    throw error
  }
}
