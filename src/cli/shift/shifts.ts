import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { table } from '../terminal.ts'

const BASE = '/kumi/v1/operations'

interface Shift {
  readonly id: number
  readonly kind: string
  readonly person: string
  readonly startsAt: string
  readonly endsAt: string
  readonly startedAt: string | null
  readonly handover: string | null
  readonly endedAt: string | null
}

interface Now {
  readonly running: readonly Shift[]
  readonly before: Shift | null
  readonly draft: string
}

interface Entry {
  readonly at: string
  readonly author: string | null
  readonly text: string
  readonly site: string | null
}

export async function start(options: SharedOptions & { kind: string }): Promise<void> {
  await withClient(options, async (client) => {
    const { kind } = options
    const shift = await client.json<Shift>('POST', `${BASE}/shifts/start`, { json: { kind } })
    const { before } = await client.json<Now>('GET', `${BASE}/shifts/now`)
    show(options, shift, () =>
      [
        `Your shift ${shift.kind} runs, planned until ${shift.endsAt}.`,
        ...(before?.handover ? [`${before.person} handed over:`, before.handover] : []),
      ].join('\n'),
    )
  })
}

export async function showShift(options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const now = await client.json<Now>('GET', `${BASE}/shifts/now`)
    const who = now.running.map(({ kind, person, startedAt }) => `${kind}: ${person} since ${startedAt}`)
    show(options, now, () =>
      [
        ...(who.length > 0 ? who : ['Nobody is on shift. Begin with: kumi shift start']),
        ...(now.before?.handover ? ['', `${now.before.person} handed over:`, now.before.handover] : []),
        '',
        now.draft,
      ].join('\n'),
    )
  })
}

export async function log(
  text: string | undefined,
  options: SharedOptions & { site?: string; card?: string; hours: string },
): Promise<void> {
  await withClient(options, async (client) => {
    if (text !== undefined) {
      const { site, card } = options
      const entry = { text, ...(site && { site }), ...(card && { card: Number(card) }) }
      await client.json('POST', `${BASE}/log`, { json: entry })
      return show(options, entry, () => 'It is in the log.')
    }
    const since = new Date(Date.now() - Number(options.hours) * 3_600_000).toISOString()
    const path = `${BASE}/log?since=${encodeURIComponent(since)}&limit=500`
    const { entries } = await client.json<{ entries: Entry[] }>('GET', path)
    show(options, entries, () =>
      [...entries]
        .reverse()
        .map(({ at, author, text: said }) => `${at} ${author ?? 'grid'}: ${said}`)
        .join('\n'),
    )
  })
}

export async function handover(
  text: string | undefined,
  options: SharedOptions & { draft?: boolean },
): Promise<void> {
  await withClient(options, async (client) => {
    if (options.draft) {
      const { draft } = await client.json<Now>('GET', `${BASE}/shifts/now`)
      return show(options, { draft }, () => draft)
    }
    const json = text === undefined ? {} : { handover: text }
    const ended = await client.json<Shift>('POST', `${BASE}/shifts/end`, { json })
    show(options, ended, () => `Your shift is over. You handed over:\n${ended.handover}`)
  })
}

export async function roster(options: SharedOptions & { days: string }): Promise<void> {
  await withClient(options, async (client) => {
    const path = `${BASE}/shifts?days=${encodeURIComponent(options.days)}`
    const { shifts } = await client.json<{ shifts: Shift[] }>('GET', path)
    show(options, shifts, () =>
      shifts.length === 0
        ? 'Nobody is planned. Plan with: kumi shift roster add PERSON --from TIME --until TIME'
        : table(shifts, [
            { title: 'ID', value: ({ id }) => id, right: true },
            { title: 'KIND', value: ({ kind }) => kind },
            { title: 'PERSON', value: ({ person }) => person },
            { title: 'FROM', value: ({ startsAt }) => startsAt },
            { title: 'UNTIL', value: ({ endsAt }) => endsAt },
            {
              title: 'STATE',
              value: ({ startedAt, endedAt }) => (endedAt ? 'handed over' : startedAt ? 'runs' : 'planned'),
            },
          ]),
    )
  })
}

export async function plan(
  person: string,
  options: SharedOptions & { from: string; until: string; kind: string },
): Promise<void> {
  await withClient(options, async (client) => {
    const [startsAt, endsAt] = [options.from, options.until].map((time) => new Date(time).toISOString())
    const json = { kind: options.kind, person, startsAt, endsAt }
    const shift = await client.json<Shift>('POST', `${BASE}/shifts`, { json })
    show(
      options,
      shift,
      () => `Shift ${shift.id}: ${person} (${shift.kind}) from ${startsAt} until ${endsAt}`,
    )
  })
}

export async function unplan(id: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const gone = await client.json<unknown>('DELETE', `${BASE}/shifts/${encodeURIComponent(id)}`)
    show(options, gone, () => `Shift ${id} is off the roster.`)
  })
}
