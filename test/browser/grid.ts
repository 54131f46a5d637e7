import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface StartedGrid {
  readonly address: string
  /** Logs a browser in once. */
  readonly link: string
  readonly password: string
  /** Lets scripts find the command line, logged in as the administrator. */
  readonly environment: Readonly<Record<string, string>>
  /** The command line, as the administrator of the grid. */
  kumi(...words: string[]): Promise<string>
  stop(): Promise<void>
}

export const LONG_NAME = `calibration.with-a-name-as-long-as-people-really-make-them.${'x'.repeat(90)}.root`

export interface GridWanted {
  readonly settings?: Readonly<Record<string, string>>
  /** Without the sites and people of the demo. */
  readonly empty?: boolean
}

/** A grid of its own, started as people start it. */
export async function startGrid({ settings = {}, empty = false }: GridWanted = {}): Promise<StartedGrid> {
  const directory = mkdtempSync(join(tmpdir(), 'kumi-browser-'))
  const home = join(directory, 'home')
  const usual = Object.entries(process.env).filter(
    ([name]) => !/^(KUMI_|BEARER_TOKEN|DATABASE_URL)/.test(name),
  )
  const environment = { ...Object.fromEntries(usual), ...settings }
  const kumi = async (...words: string[]) => {
    const { stdout } = await run(join(root, 'kumi'), [...words, '--home', home], {
      cwd: root,
      env: environment,
      timeout: 120_000,
    })
    return stdout
  }
  const stop = async () => {
    await kumi('down', '--purge')
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const { port, console: link } = JSON.parse(
      await kumi('up', '--detach', '--json', ...(empty ? ['--empty'] : [])),
    ) as {
      port: number
      console: string
    }
    const password = readFileSync(join(home, 'client/password'), 'utf8').trim()
    const scripts = { PATH: `${root}:${process.env.PATH}`, KUMI_HOME: home }
    return {
      ...{ address: `http://localhost:${port}`, link, password },
      ...{ environment: scripts, kumi, stop },
    }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

/** Stores the dataset raw:run-000042; the rule that has copied it to a second site. */
export async function storeRun({ kumi }: Pick<StartedGrid, 'kumi'>): Promise<string> {
  const files = join(mkdtempSync(join(tmpdir(), 'kumi-browser-run-')), 'run-000042')
  mkdirSync(files)
  for (let n = 0; n < 12; n++)
    writeFileSync(join(files, `raw.e0007.r00042.f${String(n).padStart(5, '0')}.dat`), Buffer.alloc(4 ** n, n))
  writeFileSync(join(files, LONG_NAME), 'long')
  const dataset = ['--scope', 'raw', '--dataset', 'run-000042', '--rse', 'KEK-DISK']
  await kumi('data', 'put', files, ...dataset, '--meta', 'run_number=42', '--quiet')
  rmSync(dirname(files), { recursive: true })
  const where = ['site=kek|site=osaka', '--copies', '2', '--wait']
  return ruleIn(await kumi('rule', 'add', 'raw:run-000042', ...where, '--json', '--quiet'))
}

function ruleIn(text: string): string {
  const id = /[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}/.exec(text)?.[0]
  if (!id) throw new Error(`kumi rule add printed no rule: ${text}`)
  return id.replaceAll('-', '').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
