import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GridError, isGridError } from '../../kernel/errors.ts'
import { attributesAnswer, type Dialect, errorAnswer } from './answers.ts'
import { readFlatXml, xmlText } from './flat-xml.ts'
import { requestOfDocument, requestOfTarget } from './requests.ts'
import { complete } from './wire.ts'

const said = (text: string) => complete(Buffer.from(text, 'latin1'))
/** The code of the error, or the value. */
function outcome<T>(work: () => T): T | string {
  try {
    return work()
  } catch (error) {
    if (isGridError(error)) return error.code
    throw error
  }
}

describe('a request', () => {
  test('is read as the C++ client writes it: HTTP/1.0 with bare line feeds', () => {
    const text =
      'GET /generate-ac?fqans=/demo&lifetime=43200 HTTP/1.0\nUser-Agent: voms APIs 2.0\nAccept: */*\nHost: localhost:15000\n\n'
    expect(said(text)).toEqual({
      ...{ dialect: 'rest', target: '/generate-ac?fqans=/demo&lifetime=43200', userAgent: 'voms APIs 2.0' },
    })
    for (let at = 0; at < text.length; at++) expect(said(text.slice(0, at))).toBeUndefined()
  })

  test('is read as the Java client writes it: HTTP/1.1', () => {
    const head =
      'User-Agent: Java/17.0.15\r\nHost: localhost:15000\r\nAccept: text/html\r\nConnection: keep-alive'
    expect(
      said(`GET /generate-ac?fqans=/demo&targets=a,&lifetime=1 HTTP/1.1\r\n${head}\r\n\r\n`),
    ).toMatchObject({
      target: '/generate-ac?fqans=/demo&targets=a,&lifetime=1',
      userAgent: 'Java/17.0.15',
    })
  })

  test('is read in the older protocol, which ends with its document', () => {
    const document = '<?xml version="1.0" encoding = "US-ASCII"?><voms><command>G/demo</command></voms>'
    expect(said(document)).toEqual({ dialect: 'legacy', document })
    for (let at = 1; at < document.length; at++) expect(said(document.slice(0, at))).toBeUndefined()
  })

  test('is refused when it is anything else', () => {
    const bad = [
      'POST / HTTP/1.1\r\n',
      'get / HTTP/1.1\r\n\r\n',
      '\x16\x03',
      'GET  / HTTP/1.1\n\n',
      'GET / HTTP/2.0\n\n',
    ]
    const more = [
      'GET http://a/ HTTP/1.1\n\n',
      'GET / HTTP/1.1\nbad header\n\n',
      'GET / HTTP/1.1\nA: 1\rB: 2\n\n',
    ]
    const body = [
      'GET / HTTP/1.1\nContent-Length: 4\n\nbody',
      'GET / HTTP/1.1\nTransfer-Encoding: chunked\n\n0',
    ]
    for (const text of [...bad, ...more, ...body]) expect(outcome(() => said(text))).toBe('bad_request')
  })

  test('of any bytes is an answer, an error or not complete', () => {
    const near = fc
      .tuple(fc.constantFrom('GET /', '<?xml', '<voms>', ''), fc.uint8Array({ maxLength: 200 }))
      .map(([start, bytes]) => Buffer.concat([Buffer.from(start), bytes]))
    fc.assert(
      fc.property(near, (bytes) => {
        outcome(() => complete(bytes))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('what is asked for', () => {
  test('over HTTP: groups and roles, order, lifetime, hosts', () => {
    const target =
      '/generate-ac?fqans=/demo/Role=p,/demo/a&lifetime=3600&order=/demo/a&targets=UI.example.org,'
    expect(requestOfTarget(target)).toEqual({
      fqans: [
        { group: '/demo', role: 'p' },
        { group: '/demo/a', role: null },
      ],
      order: [{ group: '/demo/a', role: null }],
      lifetimeSeconds: 3600,
      targets: ['ui.example.org'],
    })
    expect(requestOfTarget('/generate-ac')).toEqual({
      fqans: [],
      order: [],
      lifetimeSeconds: null,
      targets: [],
    })
    expect(requestOfTarget('/generate-ac?fqans=all').fqans).toBe('all')
    expect(requestOfTarget('/generate-ac?fqans=%2Fdemo%2FRole%3Dp').fqans).toEqual([
      { group: '/demo', role: 'p' },
    ])
  })

  test('in the older protocol: commands', () => {
    const of = (inside: string) => requestOfDocument(`<?xml version="1.0"?>\n<voms>${inside}</voms>\n`)
    const asked = of(
      '<command>B/demo/a:p</command><command>G/demo</command><command>Rshift</command><base64>1</base64><version>4</version><lifetime>60</lifetime><targets>a,b</targets><order>/demo:p</order>',
    )
    expect(asked).toEqual({
      fqans: [
        { group: '/demo/a', role: 'p' },
        { group: '/demo', role: null },
      ],
      rolesAnywhere: ['shift'],
      order: [{ group: '/demo', role: 'p' }],
      lifetimeSeconds: 60,
      targets: ['a', 'b'],
    })
    expect(of('<command>A</command>').fqans).toBe('all')
    expect(outcome(() => of('<command>X</command>'))).toBe('bad_request')
  })

  test('is refused when it is malformed or too much', () => {
    const refused = (query: string) => outcome(() => requestOfTarget(`/generate-ac?${query}`))
    for (const query of [
      'lifetime=0',
      'lifetime=-1',
      'lifetime=x',
      'targets=a%20b',
      'fqans=%',
      `targets=${'a,'.repeat(300)}`,
    ])
      expect([query, refused(query)]).toEqual([query, 'bad_request'])
    for (const query of ['fqans=demo', 'fqans=/demo/../x', 'fqans=Rproduction', 'order=x'])
      expect([query, refused(query)]).toEqual([query, 'invalid_fqan'])
    expect(outcome(() => requestOfTarget('/other'))).toBe('no_such_route')
  })
})

describe('XML of one level', () => {
  const broken = [
    ...[
      '',
      '<voms>',
      '<voms></voms',
      '<other></other>',
      '<voms/>',
      '<voms>text</voms>',
      '<voms><a></b></voms>',
    ],
    ...['<voms><a><b>1</b></a></voms>', '<voms><a x="1">1</a></voms>', '<voms><a>&lt;</a></voms>'],
    ...[
      '<!DOCTYPE voms><voms></voms>',
      '<voms><!-- x --></voms>',
      '<voms><![CDATA[x]]></voms>',
      '<voms><?a?></voms>',
    ],
    '<?xml version="1.0"?><!DOCTYPE voms [<!ENTITY a "b">]><voms><a>&a;</a></voms>',
    `<voms>${'<a>1</a>'.repeat(101)}</voms>`,
  ]
  test.each(broken)('without the dangers of XML: %s', (text) => {
    expect(outcome(() => readFlatXml(text, 'voms'))).toBe('invalid_xml')
  })

  test('reads back what it was written from', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    const value = fc.stringMatching(/^[!-%'-;=?-~]{0,20}$/)
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (fields) => {
        const document = fields.map(([field, text]) => `<${field}>${text}</${field}>\n`).join('')
        expect(readFlatXml(`<voms>${document}</voms>`, 'voms')).toEqual(fields)
      }),
    )
  })

  test('never takes long or fails otherwise, whatever comes', () => {
    const pieces = fc.constantFrom(
      '<voms>',
      '</voms>',
      '<a>',
      '</a>',
      '<a/>',
      '&',
      '<!',
      '<?xml',
      '?>',
      ' ',
      'x',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 400 }), (parts) => {
        outcome(() => readFlatXml(parts.join(''), 'voms'))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('an answer', () => {
  const bodyOf = (answer: string) => answer.split('\r\n\r\n')[1]!
  const refusal = new GridError({ code: 'policy_unsigned', kind: 'denied', message: 'Sign <first> & 署名.' })

  test('has its attributes in lines, without which C++ clients misread them', () => {
    for (const dialect of ['java', 'cpp', 'legacy'] satisfies Dialect[]) {
      const answer = attributesAnswer(dialect, { der: Buffer.alloc(200, 7), warnings: ['Shorter.'] })
      const [, base64 = ''] = /<ac>([^<]*)<\/ac>/.exec(answer)!
      expect(base64.split('\n').every((line) => line.length <= 64)).toBe(true)
      expect(base64.endsWith('\n')).toBe(true)
      expect(Buffer.from(base64, 'base64')).toEqual(Buffer.alloc(200, 7))
      expect(answer).toContain('Shorter.')
    }
  })

  test('of an error is in the form that each client shows', () => {
    const java = errorAnswer('java', refusal)
    expect(java).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/)
    expect(bodyOf(java)).toContain(
      '<error><code>SuspendedUser</code><message>Sign &#60;first&#62; &#38; &#32626;&#21517;.',
    )
    const cpp = errorAnswer('cpp', refusal)
    expect(cpp).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(bodyOf(cpp)).toMatch(/<number>1004<\/number><message>Sign .*<ac>QQ==\n<\/ac><\/vomsans>$/)
    expect(errorAnswer('legacy', refusal)).toBe(bodyOf(cpp))
  })

  test('of a defect tells nothing of it', () => {
    const defect = new GridError({ code: 'internal', kind: 'fatal', message: 'secret' })
    for (const dialect of ['java', 'cpp', 'legacy'] satisfies Dialect[]) {
      expect(errorAnswer(dialect, defect)).toContain('Internal error')
      expect(errorAnswer(dialect, defect)).not.toContain('secret')
    }
  })

  test('says how long it is, and is plain ASCII', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (message) => {
        const answer = errorAnswer('java', new GridError({ code: 'x', kind: 'invalid', message }))
        const length = Number(/Content-Length: (\d+)/.exec(answer)![1])
        expect(Buffer.byteLength(bodyOf(answer))).toBe(length)
        expect(bodyOf(answer)).toMatch(/^[\x20-\x7e\n]*$/)
        expect(xmlText(message)).not.toMatch(/[<>]/)
      }),
    )
  })
})
