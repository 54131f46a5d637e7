import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type JobFact, localise, templateOf } from './index.ts'

/** A grid of ten sites, two releases, three users and four storages where each group of jobs fails as it is told. */
function grid(fails: (attributes: Record<string, string>) => number, each = 4): JobFact[] {
  const rows: JobFact[] = []
  for (let site = 0; site < 10; site++) {
    for (let user = 0; user < 3; user++) {
      for (const release of ['r1', 'r2']) {
        for (let bin = 0; bin < 3; bin++) {
          const attributes = {
            ...{ site: `s${site}`, user: `u${user}`, release, production: `p-${release}` },
            'output storage': `d${site % 4}`,
          }
          const failed = Math.round(each * fails(attributes))
          rows.push({
            attributes,
            start: new Date(bin * 600_000),
            n: each,
            failed,
            errors: messages(failed, site),
          })
        }
      }
    }
  }
  return rows
}

const messages = (n: number, site: number) =>
  n > 0
    ? [{ text: `cannot open https://se${site}.example.org:8443/data/f${n}: timeout after ${30 + site} s`, n }]
    : []

const named = (rows: readonly JobFact[]) =>
  localise('jobs', rows).map(({ entity }) => `${entity.kind} ${entity.name}`)

describe('the cause of failures', () => {
  it('is nothing where all is well', () => {
    expect(named(grid(() => 0))).toEqual([])
    expect(localise('jobs', [])).toEqual([])
  })

  it('is a release, not the sites where it fails', () => {
    const [cause, ...others] = localise(
      'jobs',
      grid(({ release }) => (release === 'r2' ? 0.75 : 0)),
    )
    expect(others).toEqual([])
    expect(cause).toMatchObject({ entity: { kind: 'release', name: 'r2' }, n: 360, failed: 270 })
    expect(cause!.sites).toHaveLength(10)
    expect(cause!.explains).toContain('site s3')
    expect(cause!.templates[0]!.text).toBe('cannot open <url> timeout after <n> s')
  })

  it('is a site, a storage shared by several sites, a user', () => {
    expect(named(grid(({ site }) => (site === 's3' ? 1 : 0)))).toEqual(['site s3'])
    expect(named(grid((a) => (a['output storage'] === 'd1' ? 1 : 0)))).toEqual(['storage d1'])
    expect(named(grid(({ user }) => (user === 'u1' ? 1 : 0)))).toEqual(['user u1'])
  })

  it('is two things at once when there are two', () => {
    const two = named(grid(({ site, user }) => (site === 's3' || user === 'u1' ? 1 : 0)))
    expect(two.sort()).toEqual(['site s3', 'user u1'])
  })

  it('is a site with one storage when each alone does well', () => {
    const rows = grid(() => 0, 4).map((row, i): JobFact => {
      const attributes: JobFact['attributes'] = { ...row.attributes, 'output storage': i % 2 ? 'd1' : 'd2' }
      const bad = attributes.site === 's3' && attributes['output storage'] === 'd1'
      return { ...row, attributes, failed: bad ? row.n : 0 }
    })
    expect(named(rows)).toEqual(['link s3 → d1'])
  })

  it('is central when neither site nor release nor user matters', () => {
    const [cause, ...others] = localise(
      'jobs',
      grid(() => 0.5),
    )
    expect(others).toEqual([])
    expect(cause).toMatchObject({ entity: { kind: 'central', name: 'everywhere' } })
  })

  it('is a production as well that fails far more than all do', () => {
    const rows = grid((a) => (a.user === 'u2' && a.site !== 's0' ? 1 : 0.25), 40)
    const told = named(
      rows.map((row) => ({
        ...row,
        attributes: { ...row.attributes, production: `p${row.attributes.site}` },
      })),
    )
    expect(told).toContain('user u2')
    const all = grid(({ user }) => (user === 'u2' ? 1 : 0.5), 40).map((row, i): JobFact => {
      const { user, ...others } = row.attributes
      // Users have no production, productions no user.
      const one = user === 'u2' ? { ...others, production: 'bad' } : { ...others, production: `p${i % 7}` }
      return { ...row, attributes: one }
    })
    expect(named(all)).toEqual(['central everywhere', 'production bad'])
  })

  it('is not everything when three users have most of the jobs', () => {
    const rows = grid(() => 0.9, 40)
    const others = grid(() => 0, 2).map(
      (row, i): JobFact => ({
        ...row,
        attributes: { ...row.attributes, user: `other${i % 8}` },
      }),
    )
    expect(named([...rows, ...others])).not.toContain('central everywhere')
  })

  it('is a person, not the storage that nearly only this person reads', () => {
    const rows = grid(() => 0, 4)
    const batch = [0, 1, 2].map((bin): JobFact => {
      const attributes = { site: `s${bin}`, user: 'mia', release: 'r1', 'input storage': 'd9' }
      return { attributes, start: new Date(bin * 600_000), n: 9, failed: 9 }
    })
    const other: JobFact = {
      attributes: { site: 's4', user: 'u0', release: 'r1', 'input storage': 'd9' },
      ...{ start: new Date(0), n: 2, failed: 1 },
    }
    expect(named([...rows, ...batch, other])).toEqual(['user mia'])
  })

  it('explains a site that several causes together make fail, not one that fails beside them', () => {
    const rows = grid(({ user, site }) => (user !== 'u0' ? 0.75 : site === 's7' ? 0.5 : 0), 8)
    const causes = localise('jobs', rows).filter(({ entity }) => entity.kind === 'user')
    expect(causes.map(({ entity }) => entity.name).sort()).toEqual(['u1', 'u2'])
    for (const { explains } of causes) {
      expect(explains).toContain('site s3')
      expect(explains).not.toContain('site s7')
    }
  })

  it('needs more than one bad moment', () => {
    const rows = grid(({ site }) => (site === 's3' ? 1 : 0)).map((row): JobFact => {
      return row.start?.getTime() === 0 ? row : { ...row, failed: 0 }
    })
    expect(named(rows)).toEqual([])
  })

  it('is told apart by other evidence where jobs cannot', () => {
    const rows = grid((a) => (a.site === 's3' ? 1 : 0)).map((row): JobFact => {
      return { ...row, attributes: { ...row.attributes, 'output storage': `d-${row.attributes.site}` } }
    })
    expect(named(rows)).toEqual(['site s3'])
    const suspects = new Map([['storage d-s3', 8]])
    expect(localise('jobs', rows, { suspects })[0]!.entity.name).toBe('d-s3')
    const bad = grid((a) => (a['output storage'] === 'd1' ? 0.5 : 0), 2)
    expect(named(bad)).toEqual(['storage d1'])
    const well = new Map([['storage d1', -1000]])
    expect(localise('jobs', bad, { suspects: well }).map(({ entity }) => entity.name)).not.toContain('d1')
  })

  it('of transfers is a storage or a link', () => {
    const transfers = (bad: (source: string, destination: string) => boolean): JobFact[] =>
      ['a', 'b', 'c', 'd'].flatMap((source) =>
        ['a', 'b', 'c', 'd'].flatMap((destination) =>
          source === destination
            ? []
            : { attributes: { source, destination }, n: 40, failed: bad(source, destination) ? 36 : 1 },
        ),
      )
    const told = (rows: readonly JobFact[]) => localise('transfers', rows).map(({ entity }) => entity.name)
    expect(told(transfers((source) => source === 'b'))).toEqual(['b'])
    expect(told(transfers((source, destination) => source === 'b' && destination === 'c'))).toEqual(['b → c'])
  })

  it('does not depend on the order of the rows', () => {
    const rows = fc.array(
      fc.record({
        attributes: fc.record({
          site: fc.constantFrom('s1', 's2', 's3'),
          user: fc.constantFrom('u1', 'u2', 'u3'),
          release: fc.constantFrom('r1', 'r2'),
        }),
        start: fc.constantFrom(0, 1, 2).map((k) => new Date(k * 600_000)),
        n: fc.integer({ min: 1, max: 30 }),
        share: fc.constantFrom(0, 0, 0, 0.1, 0.5, 1),
      }),
      { minLength: 1, maxLength: 60 },
    )
    fc.assert(
      fc.property(rows, fc.infiniteStream(fc.nat()), (some, order) => {
        const facts = some.map(
          ({ share, n, ...row }): JobFact => ({ ...row, n, failed: Math.round(n * share) }),
        )
        const keyed = facts.map((row) => ({ row, key: order.next().value as number }))
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ row }) => row)
        expect(localise('jobs', shuffled)).toEqual(localise('jobs', facts))
      }),
    )
  })
})

describe('the template of a message', () => {
  it('leaves out hosts, paths, ids and numbers', () => {
    expect(templateOf('upload of /belle/raw/run-42/f.root to se1.kek.jp:2880 failed with 503')).toBe(
      'upload of <path> to <host> failed with <n>',
    )
    expect(templateOf('job 9b2d5f1e-8c1a-4c0e-9d7e-0a1b2c3d4e5f: no heartbeat for 75 min')).toBe(
      'job <uuid>: no heartbeat for <n> min',
    )
    expect(templateOf('checksum 3f9a0c1d5e77 is not 77aa01bc9d00\n at 192.168.1.7')).toBe(
      'checksum <hex> is not <hex> at <host>',
    )
  })

  it('of a template is the template', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('open', '/a/b.root', 'se.kek.jp', '17', 'no space', 'https://x.y/z?a=1')),
        (words) => {
          const once = templateOf(words.join(' '))
          expect(templateOf(once)).toBe(once)
        },
      ),
    )
  })
})
