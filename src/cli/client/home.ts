import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { defineError } from '../../kernel/errors.ts'

const noServer = defineError('invalid', 'no_server')

export interface ClientOptions {
  readonly home?: string
  readonly server?: string
}

/** Where the server is, whom it serves and which authority it is trusted by. */
export interface Place {
  readonly home: string
  readonly server: string
  readonly vo: string
  readonly caFile?: string
}

/** Finds the server: the option, KUMI_SERVER, then the grid of the home directory. */
export function findPlace(options: ClientOptions, environment: NodeJS.ProcessEnv): Place {
  const home = resolve(options.home ?? environment.KUMI_HOME ?? join(homedir(), '.kumi'))
  const facts = readFacts(join(home, 'grid.json'))
  const server = options.server ?? environment.KUMI_SERVER ?? (facts && `https://localhost:${facts.port}`)
  if (!server)
    throw noServer(`There is no grid in ${home} and no server was named.`, {
      hint: 'Start one with: kumi up   or name one: --server https://… (or KUMI_SERVER)',
    })
  if (!URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol))
    throw noServer(`"${server}" is not the address of a server; it needs the form https://host:port.`)
  const ca = environment.KUMI_CA ?? join(home, 'ca', 'ca.pem')
  return {
    home,
    server: server.replace(/\/+$/, ''),
    vo: environment.KUMI_VO ?? facts?.vo ?? 'demo',
    ...((environment.KUMI_CA || existsSync(ca)) && { caFile: ca }),
  }
}

function readFacts(file: string): { port: number; vo: string } | undefined {
  if (!existsSync(file)) return undefined
  return JSON.parse(readFileSync(file, 'utf8')) as { port: number; vo: string }
}
