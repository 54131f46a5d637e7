/** Pages of docs/ that are made of the code. `npm run docs` writes them; the tests say when they are behind. */
import type { RegisteredRoute } from '../../src/http/index.ts'
import type { Setting, Settings } from '../../src/kernel/index.ts'

const MADE = 'Made by `npm run docs`; changes belong into the code.'

interface DoorPage {
  readonly file: string
  readonly title: string
  readonly about: string
  readonly has: (url: string) => boolean
}

const DOORS: readonly DoorPage[] = [
  {
    file: 'rucio.md',
    title: 'The data management door',
    about:
      'The wire of the Rucio client; [its README](../../src/doors/rucio/README.md) says what it refuses.',
    has: (url) => url.startsWith('/rucio'),
  },
  {
    file: 'scim.md',
    title: 'People and groups in SCIM',
    about:
      'SCIM 2.0 for the caller’s VO and, below the issuer, for a named one; [its README](../../src/doors/scim/README.md) says what it refuses.',
    has: (url) => url.startsWith('/scim/') || url.startsWith('/iam/:vo/scim/'),
  },
  {
    file: 'iam.md',
    title: 'The interface of IAM',
    about:
      'What scripts written for INDIGO IAM call; [its README](../../src/doors/iam/README.md) says what it refuses.',
    has: (url) =>
      /^\/iam\/:vo\/(registration\/|iam\/(account|group|group_requests|aup|me|password-reset|password-update)\b)/.test(
        url,
      ),
  },
  {
    file: 'x509.md',
    title: 'Certificates',
    about:
      'Certificates of people, the grid’s authorities, grid-mapfiles, credentials left with the grid; [its README](../../src/doors/x509/README.md) names the clients.',
    has: (url) =>
      /^\/(ca|gridmap|delegation)\b/.test(url) ||
      /^\/iam\/:vo\/(account-linking|certificates|certificate-requests|gridmap)\b/.test(url),
  },
  {
    file: 'oidc.md',
    title: 'The token issuer',
    about: 'One issuer for each VO; [its README](../../src/doors/oidc/README.md) names the grants.',
    has: (url) => url.startsWith('/iam/') || url.startsWith('/.well-known/'),
  },
  {
    file: 'voms.md',
    title: 'Where the attribute authority answers',
    about:
      'Files for the clients of VOMS; the authority itself has a port of its own, see [its README](../../src/doors/voms/README.md).',
    has: (url) => /^\/voms(es|dir)\//.test(url),
  },
  {
    file: 'diracx.md',
    title: 'Jobs in the words of DiracX',
    about:
      'What the `dirac` command and the libraries of DiracX call, with DIRACX_URL set to `https://…/diracx/`; [its README](../../src/doors/diracx/README.md) says what it is made of.',
    has: (url) => url.startsWith('/diracx/'),
  },
  {
    file: 'cvmfs.md',
    title: 'Software repositories',
    about:
      'What the clients of CVMFS fetch; [its README](../../src/doors/cvmfs/README.md) says how long answers are kept.',
    has: (url) => url.startsWith('/cvmfs/'),
  },
  {
    file: 'kumi.md',
    title: 'The door for what has no standard',
    about: 'A running server describes the parameters and answers at `/kumi/v1/openapi.json`.',
    has: (url) => url.startsWith('/kumi/'),
  },
  {
    file: 'http.md',
    title: 'Every server',
    about: 'For those who watch over it.',
    has: () => true,
  },
]
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** One page for each door: its routes and what a caller must be allowed to do. By file name. */
export function doorPages(routes: readonly RegisteredRoute[]): Map<string, string> {
  const left = routes.filter(({ method }) => method !== 'HEAD')
  return new Map(
    DOORS.map(({ file, title, about, has }) => {
      const mine = left.filter(({ url }) => has(url) && DOORS.find((door) => door.has(url))?.file === file)
      const rows = mine
        .toSorted((a, b) =>
          a.url === b.url
            ? METHODS.indexOf(a.method) - METHODS.indexOf(b.method)
            : a.url.localeCompare(b.url, 'en'),
        )
        .map(({ method, url, action }) => [
          method,
          `\`${url}\``,
          action === 'public' ? 'everybody' : `\`${action}\``,
        ])
      return [file, page(title, [about, table(['method', 'path', 'action'], rows)])]
    }),
  )
}

/** What the actions in the tables mean. */
export function actionsPage(actions: Readonly<Record<string, string>>): string {
  const rows = Object.entries(actions).map(([action, meaning]) => [`\`${action}\``, meaning])
  return page('Actions', [
    'What a caller of a route must be allowed to do. `kumi access` shows and changes who may. Those of storage are decided by the paths in a token, not by the policy.',
    table(['action', 'meaning'], rows),
  ])
}

export function settingsPage(server: Settings, gateway: Settings): string {
  return page('Settings', [
    'Nothing needs to be set. A wrong value ends the program at once with a message.',
    '## Server\n\nEnvironment variables of `kumi up`, `npm start` and of a server started by itself; [settings.env](settings.env) is a file with all of them.',
    table(
      ['variable', 'default', 'values', 'meaning'],
      Object.values(server).map((s) => [`\`${s.env}\``, byDefault(s), values(s), s.help]),
    ),
    '## Gateway\n\nFields of the `gateway.json` that a gateway is started with (`--config`). `peers` lists the storages (`host:port`) it may copy from and to.',
    table(
      ['field', 'default', 'values', 'meaning'],
      Object.entries(gateway).map(([name, s]) => [`\`${name}\``, byDefault(s), values(s), s.help]),
    ),
  ])
}

const byDefault = (s: Setting) => (s.default === undefined || s.default === '' ? '' : `\`${s.default}\``)

function values(s: Setting): string {
  if (s.type === 'boolean') return 'true, false'
  if (s.type === 'string') return s.secret ? 'text, secret' : 'text'
  if (s.min !== undefined && s.max !== undefined) return `${s.min} to ${s.max}`
  if (s.min !== undefined) return `from ${s.min}`
  return s.max === undefined ? 'whole number' : `up to ${s.max}`
}

const page = (title: string, parts: readonly string[]) => `${[`# ${title}`, ...parts, MADE].join('\n\n')}\n`

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
