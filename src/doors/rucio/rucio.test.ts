import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defineError } from '../../kernel/errors.ts'
import { newReplica } from './bodies.ts'
import { readDidFilters } from './did-filters.ts'
import { errorHeaders, toRucioError } from './errors.ts'
import { escapeXml, jsonFile, metalinkFile } from './metalink.ts'
import { parsePythonLiteral } from './python-literal.ts'
import { canonicalRucioUrl } from './url.ts'
import { parseJson, readDate, readId, rucioDate, toJson, wireId } from './wire.ts'

type Plain = string | number | boolean | null | Plain[] | { [key: string]: Plain }

/** As Python's repr writes it, near enough. */
function repr(value: Plain): string {
  if (value === null) return 'None'
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') {
    const escaped = value.replace(
      /[\\'\n\r\t]/g,
      (c) => ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[c] ?? `\\${c}`,
    )
    return `'${escaped}'`
  }
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  return `{${Object.entries(value)
    .map(([k, v]) => `${repr(k)}: ${repr(v)}`)
    .join(', ')}}`
}

describe('the filters of a search', () => {
  test('a Python literal is read back as it was written', () => {
    const { value } = fc.letrec<{ value: Plain }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.string({ unit: 'binary' }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(
          fc.string().filter((k) => k !== '__proto__'),
          tie('value'),
          { maxKeys: 4, noNullPrototype: true },
        ),
      ),
    }))
    fc.assert(
      fc.property(value, (plain) => {
        expect(parsePythonLiteral(repr(plain))).toEqual(plain)
      }),
    )
  })
  test('any other text is refused or read, and never breaks the reader', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parsePythonLiteral(text)
        } catch (error) {
          expect(toRucioError(error).status).toBe(400)
        }
      }),
    )
    expect(() => parsePythonLiteral('['.repeat(5000))).toThrow(/nested/)
    expect(() => parsePythonLiteral('x'.repeat(70_000))).toThrow(/too long/)
  })
  test('keys carry their operator, alternatives are separate dictionaries', () => {
    expect(readDidFilters("[{'name': '*'}]")).toEqual([])
    expect(readDidFilters("[{'run_number.gte': 5, 'ok': True}, {'name': 'a*'}]")).toEqual([
      [
        { key: 'run_number', operator: '>=', value: 5 },
        { key: 'ok', operator: '=', value: true },
      ],
      [{ key: 'name', operator: '=', value: 'a*' }],
    ])
    expect(() => readDidFilters("[{'a.like': 1}]")).toThrow(/not an operator/)
  })
})

describe('the paths of the client', () => {
  test.each([
    ['/rucio/ping', '/rucio/ping'],
    ['/rucio/rules/', '/rucio/rules'],
    ['/rucio/accounts/root/attr/', '/rucio/accounts/root/attr'],
    ['/rucio/rses/?expression=a%3Db', '/rucio/rses?expression=a%3Db'],
    ['/rucio/dids/s/a+b', '/rucio/dids/s/a%20b'],
    ['/rucio/dids/s/%2Fbelle%2Fx/dids', '/rucio/dids/s/%2Fbelle%2Fx/dids'],
    ['/rucio/dids/s//belle/x/dids', '/rucio/dids/s/%2Fbelle%2Fx/dids'],
    ['/rucio/dids/s/a/b/meta', '/rucio/dids/s/a%2Fb/meta'],
    ['/rucio/dids/s/a/meta/key+x', '/rucio/dids/s/a/meta/key%20x'],
    ['/rucio/dids/s/dids/search?type=all', '/rucio/dids/s/dids/search?type=all'],
    ['/rucio/dids/attachments', '/rucio/dids/attachments'],
    ['/rucio/dids/s/x/dids/history', '/rucio/dids/s/x/dids/history'],
    ['/rucio/replicas/list', '/rucio/replicas/list'],
    ['/rucio/replicas/s/a/b/datasets', '/rucio/replicas/s/a%2Fb/datasets'],
    ['/other/a+b/', '/other/a+b/'],
  ])('%s is %s', (given, canonical) => expect(canonicalRucioUrl(given)).toBe(canonical))
})

describe('the words of the wire', () => {
  test('dates have the one form the client reads', () => {
    expect(rucioDate(new Date('2026-11-21T02:57:24.9Z'))).toBe('Sat, 21 Nov 2026 02:57:24 UTC')
    expect(readDate('Sat, 21 Nov 2026 02:57:24 UTC').toISOString()).toBe('2026-11-21T02:57:24.000Z')
    expect(readDate('2026-11-21T02:57:24').toISOString()).toBe('2026-11-21T02:57:24.000Z')
    expect(() => readDate('tomorrow')).toThrow(/not a date/)
  })
  test('big numbers stay exact and Infinity is bare', () => {
    const text = toJson({ a: 123456789012345678901n, b: Number.POSITIVE_INFINITY, c: 5n, d: new Date(0) })
    expect(text).toBe('{"a":123456789012345678901,"b":Infinity,"c":5,"d":"Thu, 01 Jan 1970 00:00:00 UTC"}')
    expect(parseJson('{"bytes": Infinity, "t": "Infinity NaN", "n": NaN}')).toEqual({
      bytes: Number.POSITIVE_INFINITY,
      t: 'Infinity NaN',
      n: null,
    })
    expect(() => parseJson('{')).toThrow(/not JSON/)
  })
  test('ids travel without dashes', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(readId(wireId(id))).toBe(id)
      }),
    )
    expect(readId('nonsense')).toBeUndefined()
  })
  test('a denied call is 403, never 401, and the header is one short line', () => {
    const error = toRucioError(defineError('denied', 'denied')(`no\n${'x'.repeat(200)}é`))
    expect(error).toMatchObject({ status: 403, exceptionClass: 'AccessDenied' })
    expect(errorHeaders(error).exceptionmessage).toMatch(/^no x{122}\.\.\.$/)
  })
  test.each([
    ['missing', 'did_not_found', 'DataIdentifierNotFound', 404],
    ['missing', 'scope_not_found', 'ScopeNotFound', 404],
    ['missing', 'rse_not_found', 'RSENotFound', 404],
    ['missing', 'account_missing', 'AccountNotFound', 404],
    ['missing', 'metadata_key_not_found', 'KeyNotFound', 404],
    ['conflict', 'did_exists', 'DataIdentifierAlreadyExists', 409],
    ['conflict', 'name_used_before', 'DataIdentifierAlreadyExists', 409],
    ['conflict', 'duplicate_content', 'DuplicateContent', 409],
    ['conflict', 'scope_exists', 'Duplicate', 409],
    ['conflict', 'file_consistency_mismatch', 'FileConsistencyMismatch', 412],
    ['conflict', 'collection_closed', 'UnsupportedOperation', 409],
    ['invalid', 'invalid_rse_expression', 'InvalidRSEExpression', 400],
    ['invalid', 'no_rse_matches', 'InvalidRSEExpression', 400],
    ['invalid', 'invalid_filter', 'DIDFilterSyntaxError', 400],
    ['transient', 'database_unavailable', 'ResourceTemporaryUnavailable', 503],
  ] as const)('%s %s is %s %i', (kind, code, exceptionClass, status) => {
    expect(toRucioError(defineError(kind, code)('m'))).toMatchObject({ exceptionClass, status })
  })
  test('checksums and GUIDs of a file come into the forms of the catalogue', () => {
    const guid = 'ABCDEF00112233445566778899AABBCC'
    expect(newReplica({ scope: 's', name: 'n', bytes: 3, adler32: 'ABC', meta: { guid } })).toEqual({
      scope: 's',
      name: 'n',
      bytes: 3n,
      adler32: '00000abc',
      guid: 'abcdef00-1122-3344-5566-778899aabbcc',
    })
    expect(() => newReplica({ scope: 's', name: 'n' })).toThrow(/size/)
  })
})

describe('the answer to a list of copies', () => {
  const file = {
    scope: 's',
    name: 'a&<b>',
    bytes: 3n,
    adler32: '00000abc',
    md5: null,
    parents: ['s:"ds"'],
    states: { KEK: 'AVAILABLE', OSAKA: 'COPYING' },
    sources: [
      {
        pfn: 'https://h:1/a?b&c',
        rse: 'KEK',
        rseId: '0',
        type: 'DISK',
        volatile: false,
        domain: 'wan',
        priority: 1,
      },
    ],
  }
  test('is well-formed XML whatever the names are', () => {
    expect(metalinkFile(file)).toContain('<identity>s:a&#38;&#60;b&#62;</identity>')
    expect(metalinkFile(file)).toContain('<did>s:&#34;ds&#34;</did>')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        [...escapeXml(text)].every((c) => c >= ' ' && !'<>"'.includes(c) && c !== "'"),
      ),
    )
  })
  test('names every storage with a copy, also one without a URL', () => {
    expect(jsonFile(file)).toMatchObject({ rses: { KEK: ['https://h:1/a?b&c'], OSAKA: [] } })
  })
})
