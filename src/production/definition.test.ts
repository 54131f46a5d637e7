import { describe, expect, test } from 'vitest'
import { filesNamed, readDefinition, readExtension } from './definition.ts'
import { parseYaml } from './yaml.ts'

const GOOD = `# made by the production manager
production: MC16rd-a
scope: mc
release: release-08-02-05
conditions: mc_production_16
campaign: MC16
energy: 4S
eventTypes: [charged, mixed]
destinations:
  - storages: country=JP
    share: 60
  - {storages: 'country=US', share: 40, copies: 2}
steps:
  - name: simulate
    kind: generate
    program: simulate.sh
    files: [simulate.sh]
    arguments: ["%(experiment)s", "%(run)s", "%(events)s", "%(seed)s"]
    eventsPerJob: 1000
    output: mdst.root
    level: mdst
    keep: no
  - name: merge
    kind: by_size
    program: /usr/bin/hadd
    gigabytesPerJob: 2.5
    output: merged.root
    events: exact
cells:
  - [26, 101-103, 2500]
  - {experiment: 26, run: 200, events: 1_000, eventType: mixed}
`
const files = [{ name: 'simulate.sh', executable: true, content: 'IyEvYmluL3No' }]
const problemsOf = (text: string): unknown => {
  try {
    readDefinition(text, files)
  } catch (error) {
    return (error as { details: { problems: unknown } }).details.problems
  }
  return undefined
}

describe('a definition', () => {
  test('is read with everything that was left out', () => {
    const { definition, cells } = readDefinition(GOOD, files)
    expect(definition).toMatchObject({ name: 'MC16rd-a', scouts: 5, priority: 5, description: '' })
    expect(definition.destinations).toEqual([
      { storages: 'country=JP', share: 60, copies: 1 },
      { storages: 'country=US', share: 40, copies: 2 },
    ])
    expect(
      definition.steps.map(({ name, kind, input, events, keep }) => [name, kind, input, events, keep]),
    ).toEqual([
      ['simulate', 'generate', null, 'exact', false],
      ['merge', 'by_size', { step: 'simulate' }, 'exact', true],
    ])
    // Three runs of two event types, and one of one.
    expect(cells).toHaveLength(7)
    expect(cells.at(-1)).toEqual({ experiment: 26, run: 200, eventType: 'mixed', events: 1000 })
  })

  test('is refused with the line and the field of every mistake', () => {
    const bad = GOOD.replace('eventsPerJob: 1000', 'eventsPerJob: many')
      .replace('energy: 4S\n', '')
      .replace('campaign: MC16', 'campain: MC16')
      .replace('"%(seed)s"', '"%(sead)s"')
      .replace('[26, 101-103, 2500]', '[26, 103-101, 2500]')
      .replace('files: [simulate.sh]', 'files: [other.sh]')
    expect(problemsOf(bad)).toMatchObject([
      { line: 2, field: 'campaign', message: 'it is missing' },
      { line: 2, field: 'energy', message: 'it is missing' },
      { line: 6, field: 'campain', message: 'there is no such field' },
      { line: 16, field: 'steps[0].files', message: expect.stringContaining('other.sh') },
      { line: 17, field: 'steps[0].arguments', message: expect.stringContaining('sead') },
      { line: 18, field: 'steps[0].eventsPerJob', message: expect.stringContaining('many') },
      { line: 29, field: 'cells[0]', message: expect.stringContaining('103-101') },
    ])
    expect(() => readDefinition(bad, files)).toThrow(/line 2, campaign: it is missing; .* And 2 more\./)
  })

  test.each([
    ['kind: by_size', 'kind: by_weight', 'steps[1].kind'],
    ['kind: by_size', 'kind: generate', 'steps[1].kind'],
    ['  - name: merge', '  - name: simulate', 'steps[1].name'],
    ['    events: exact', '    input: reconstruct', 'steps[1].input'],
    ['run: 200', 'run: 101', 'cells[1]'],
    ['eventType: mixed', 'eventType: cosmic', 'cells[1]'],
    ['share: 60', 'share: -1', 'destinations[0].share'],
    ['output: merged.root', 'output: ../merged.root', 'steps[1].output'],
  ])('with "%s" as "%s" is wrong at %s', (from, to, field) => {
    expect(problemsOf(GOOD.replace(from, to))).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ field })]),
    )
  })

  test('of data takes files by their metadata', () => {
    const data = GOOD.replace(/steps:[\s\S]*/, '').concat(
      'steps:\n- name: reco\n  kind: by_run\n  input:\n    scope: raw\n    where:\n      level: raw\n      run: ">= 100"\n      stream: [a, b]\n  program: /bin/true\n  output: mdst.root\n',
    )
    expect(readDefinition(data, files).definition.steps[0]?.input).toEqual({
      scope: 'raw',
      where: [
        { key: 'level', operator: '=', value: 'raw' },
        { key: 'run', operator: '>=', value: 100 },
        { key: 'stream', operator: 'in', value: ['a', 'b'] },
      ],
    })
  })

  test('says which files beside it it wants, and no others', () => {
    const more = GOOD.replace('campaign: MC16', 'campaign: notes.txt').replace('/usr/bin/hadd', 'merge.sh')
    expect(filesNamed(more)).toEqual(['simulate.sh', 'merge.sh'])
    // A program that came along is there without being listed.
    const { definition } = readDefinition(GOOD.replace('    files: [simulate.sh]\n', ''), files)
    expect(definition.steps[0]!.files.map(({ name }) => name)).toEqual(['simulate.sh'])
    expect(filesNamed('steps: nonsense')).toEqual([])
  })

  test('is extended by cells alone', () => {
    const { definition } = readDefinition(GOOD, files)
    expect(readExtension('cells:\n- [27, 1, 10, mixed]', definition)).toHaveLength(1)
    expect(() => readExtension('steps: []', definition)).toThrow(/cells: it is missing/)
    expect(() => readExtension('cells: []\nfoo: 1', definition)).toThrow(/line 2, foo/)
  })
})

describe('the text', () => {
  const plain = (node: ReturnType<typeof parseYaml>): unknown =>
    node.kind === 'text'
      ? node.text
      : node.kind === 'list'
        ? node.items.map(plain)
        : Object.fromEntries([...node.entries].map(([key, value]) => [key, plain(value)]))

  test.each([
    ['a: 1 # one\nb: "x # y"', { a: '1', b: 'x # y' }],
    ["- 'it''s'\n- \"tab\\tq\\\"\"", ["it's", 'tab\tq"']],
    ['a:\n- b: 1\n  c: 2\n-\n  - d', { a: [{ b: '1', c: '2' }, ['d']] }],
    ['a:\n- b\n- c\nd: e', { a: ['b', 'c'], d: 'e' }],
    ['a: |\n  one\n    two\n\nb: >-\n  x\n  y', { a: 'one\n  two\n', b: 'x y' }],
    ['a: [1, {b: c, d: [e]},\n  "f, g"]\nh:', { a: ['1', { b: 'c', d: ['e'] }, 'f, g'], h: '' }],
    ['{"json": [1, "two", {"three": null}]}', { json: ['1', 'two', { three: 'null' }] }],
    ['---\nurl: https://x.example/y', { url: 'https://x.example/y' }],
    ['country=JP&tape: x\n"key: 1": y', { 'country=JP&tape': 'x', 'key: 1': 'y' }],
  ])('%j is read', (text, value) => {
    expect(plain(parseYaml(text))).toEqual(value)
  })

  test.each([
    ['a: 1\na: 2', 'Line 2: "a" is there twice'],
    ['a: 1\n  b: 2', 'Line 2: '],
    ['a:\n\t- b', 'Line 2: indent by spaces'],
    ['a: &x 1', 'Line 1: "&" has a meaning'],
    ['a: [1, 2', 'Line 1: "[" is never closed'],
    ['a: "1', 'Line 1: the quotes do not close'],
    ['a: b: c', 'Line 1: a colon in a text'],
    ['', 'Line 1: there is nothing'],
    ['a: 1\n---\nb: 1', 'Line 2: '],
    ['a: [1]]', 'Line 1: nothing may follow'],
  ])('%j is refused', (text, message) => {
    expect(() => parseYaml(text)).toThrow(message)
  })
})
