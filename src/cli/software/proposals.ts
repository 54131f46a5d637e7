import { defineError } from '../../kernel/errors.ts'
import type { Proposed } from '../../software/local/publish.ts'
import type { GridClient } from '../client/http.ts'
import { withClient } from '../client/http.ts'
import { badOption, type SharedOptions, show } from '../common-options.ts'
import { bytesText, printable, table } from '../terminal.ts'

const notApproved = defineError('conflict', 'not_approved')
const base = '/kumi/v1/software'
const at = (id: string, ...rest: string[]) => [`${base}/proposals`, encodeURIComponent(id), ...rest].join('/')
/** Catalogues of millions of entries. */
const COMPOSING_MS = 3_600_000
/** As long as one question is answered. */
const WAIT_SECONDS = 25

export interface Proposal {
  readonly id: string
  readonly repository: string
  readonly kind: 'publish' | 'rollback' | 'tag' | 'untag'
  readonly path: string
  readonly account: string
  readonly source: string
  readonly proposedAt: string
  readonly expiresAt: string
  readonly state: 'proposed' | 'committed' | 'rejected' | 'cancelled' | 'expired'
  readonly tag: string | null
  readonly ofRevision: number | null
  readonly rootHash: string | null
  readonly put: number
  readonly removed: number
  readonly files: number | null
  readonly bytes: number | null
  readonly decidedBy: string | null
  readonly reason: string
  readonly revision: number | null
  readonly overtakenBy: number | null
}
interface Changes {
  readonly added: number
  readonly changed: number
  readonly removed: number
  readonly paths: readonly { path: string; what: 'added' | 'changed' | 'removed' }[]
  readonly whole: boolean
}
interface Approvals {
  readonly approvals: readonly { path: string; account: string; at: string }[]
}

/** What whoever proposed something should know. */
export const waits = ({ id, expiresAt }: NonNullable<Proposed>, what: string): string =>
  [
    `${what} waits until somebody else approves it, at most until ${String(expiresAt).slice(0, 10)}: kumi software approve ${id}`,
    `Look at it: kumi software proposal ${id}   Take it back: kumi software withdraw ${id}`,
  ].join('\n')

/** Waits until a proposal is decided. */
export async function decision(client: GridClient, id: string, signal: AbortSignal): Promise<Proposal> {
  for (;;) {
    const query = { wait: WAIT_SECONDS }
    const found = await client.json<Proposal>('GET', at(id), { query, signal })
    if (found.state !== 'proposed') return found
    signal.throwIfAborted()
  }
}

export function outcomeOf({ state, revision, decidedBy, reason, kind }: Proposal): string {
  if (state === 'proposed') return 'It waits for somebody who approves it.'
  if (state === 'committed')
    return `${decidedBy} approved it${kind === 'untag' ? '' : `: revision ${revision}`}.`
  if (state === 'rejected') return `${decidedBy} rejected it: ${reason}`
  return state === 'expired' ? 'Nobody decided it in time.' : `It was withdrawn${reason && `: ${reason}`}.`
}

/** Whoever waited for approval fails without it. */
export function refuseUnapproved(decided: Proposal): void {
  if (decided.state !== 'committed') throw notApproved(`Not published. ${outcomeOf(decided)}`)
}

/** `kumi software approval REPO [on|off] --path PATH`. */
export async function approval(
  name: string,
  change: string | undefined,
  options: SharedOptions & { path: string },
): Promise<void> {
  if (change !== undefined && change !== 'on' && change !== 'off')
    throw badOption(`Approval is on or off, not "${change}".`)
  await withClient(options, async (client) => {
    const repository = `${base}/repositories/${encodeURIComponent(name)}`
    const place = `${repository}/approvals`
    const { path } = options
    const { approvals } =
      change === 'on'
        ? await client.json<Approvals>('PUT', place, { json: { path } })
        : change === 'off'
          ? await client.json<Approvals>('DELETE', place, { query: { path } })
          : await client.json<Approvals>('GET', repository)
    show(options, approvals, () =>
      approvals.length === 0
        ? `Whoever may publish in ${name} publishes at once.`
        : `Somebody else has to approve what is published in ${name} below: ${approvals.map((one) => one.path || '/').join(', ')}`,
    )
  })
}

/** `kumi software proposals [REPO]`. */
export async function proposals(
  repository: string | undefined,
  options: SharedOptions & { all?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    const query = { repository, all: options.all || undefined }
    const { proposals: list } = await client.json<{ proposals: Proposal[] }>('GET', `${base}/proposals`, {
      query,
    })
    show(options, list, () =>
      list.length === 0
        ? 'Nothing waits for approval.'
        : table(list, [
            { title: 'ID', value: (one) => one.id },
            { title: 'REPOSITORY', value: (one) => one.repository },
            { title: 'WHAT', value: whatOf },
            { title: 'BY', value: (one) => one.account },
            { title: 'SINCE', value: (one) => one.proposedAt },
            { title: 'UNTIL', value: (one) => one.expiresAt },
            {
              title: 'STATE',
              value: (one) =>
                one.overtakenBy === null ? one.state : `overtaken by revision ${one.overtakenBy}`,
            },
          ]),
    )
  })
}

function whatOf({ kind, path, tag, ofRevision, put, removed }: Proposal): string {
  if (kind === 'publish')
    return `${path || '/'}: ${put} written, ${removed} removed${tag === null ? '' : `, tag ${tag}`}`
  if (kind === 'rollback') return `put revision ${ofRevision} back`
  return kind === 'tag' ? `tag ${tag} for revision ${ofRevision}` : `tag ${tag} goes`
}

/** `kumi software proposal ID`. */
export async function showProposal(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const found = await client.json<Proposal>('GET', at(id))
    const changes = await client.json<Changes>('GET', at(id, 'changes'))
    const { repository, account, source, proposedAt, rootHash, files, bytes } = found
    show(options, { ...found, changes }, () =>
      [
        `${repository}  ${whatOf(found)}`,
        `proposed by ${account}${source && ` from ${source}`}, ${proposedAt}`,
        outcomeOf(found),
        ...(found.overtakenBy === null
          ? []
          : [`Revision ${found.overtakenBy} changed the same since: it must be proposed again.`]),
        ...changes.paths.map(({ path, what }) => `${SIGN[what]} ${printable(path || '/')}`),
        ...(changes.paths.length < changes.added + changes.changed + changes.removed || !changes.whole
          ? ['… and more']
          : []),
        ...(rootHash && found.state === 'proposed'
          ? [
              `The whole tree: ${files} files, ${bytesText(bytes ?? 0)}. Try it: kumi software get ${repository}@${rootHash} DIRECTORY`,
            ]
          : []),
      ].join('\n'),
    )
  })
}

const SIGN = { added: '+', removed: '-', changed: '~' } as const

export async function approve(id: string, options: SharedOptions): Promise<void> {
  await decide(id, 'approve', undefined, options)
}

export async function reject(id: string, options: SharedOptions & { reason: string }): Promise<void> {
  await decide(id, 'reject', { reason: options.reason }, options)
}

export async function withdraw(id: string, options: SharedOptions): Promise<void> {
  await decide(id, 'withdraw', undefined, options)
}

async function decide(
  id: string,
  what: 'approve' | 'reject' | 'withdraw',
  json: { reason: string } | undefined,
  options: SharedOptions,
): Promise<void> {
  await withClient(options, async (client) => {
    const decided = await client.json<Proposal>('POST', at(id, what), {
      ...(json && { json }),
      patienceMs: COMPOSING_MS,
    })
    show(options, decided, () => `${decided.repository}, ${whatOf(decided)}. ${outcomeOf(decided)}`)
  })
}
