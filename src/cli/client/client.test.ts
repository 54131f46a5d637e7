import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { failureOf } from './failure.ts'
import { findPlace } from './home.ts'
import { deterministicPath, didText, parseConditions, parseDid, parseMetadata } from './names.ts'
import { readJsonLines } from './ndjson.ts'
import { findToken, homeTokenFile, storeToken, tokenClaims } from './token.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'kumi-client-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** A user who cannot have a token in the common directory. */
const nobody = 987_654_321

describe('the token', () => {
  test('is looked for in the agreed places, in the agreed order', async () => {
    const runtime = join(home, 'runtime')
    await mkdir(runtime)
    const named = join(home, 'named')
    await storeToken(homeTokenFile(home), 'from-home')
    expect(findToken(home, {}, nobody).token).toBe('from-home')
    await storeToken(join(runtime, `bt_u${nobody}`), 'from-runtime')
    expect(findToken(home, { XDG_RUNTIME_DIR: runtime }, nobody).token).toBe('from-runtime')
    await storeToken(named, 'from-file')
    const both = { XDG_RUNTIME_DIR: runtime, BEARER_TOKEN_FILE: named }
    expect(findToken(home, both, nobody)).toEqual({ token: 'from-file', source: named })
    expect(findToken(home, { ...both, BEARER_TOKEN: ' direct\n' }, nobody).token).toBe('direct')
  })

  test('is not used when others can read its file', async () => {
    const file = homeTokenFile(home)
    await storeToken(file, 'secret')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    for (const mode of [0o640, 0o604]) {
      await chmod(file, mode)
      expect(() => findToken(home, {}, nobody)).toThrow(/Other users can read/)
    }
  })

  test('that is missing is an invitation to log in', () => {
    expect(() => findToken(home, {}, nobody)).toThrow('You are not logged in.')
    expect(() => tokenClaims('nonsense')).toThrow(/not a token/)
  })
})

describe('the server', () => {
  test('is that of the home unless named', async () => {
    expect(() => findPlace({ home }, {})).toThrow(/no grid/)
    await writeFile(join(home, 'grid.json'), JSON.stringify({ port: 7450, vo: 'belle' }))
    expect(findPlace({ home }, {})).toEqual({ home, server: 'https://localhost:7450', vo: 'belle' })
    expect(findPlace({}, { KUMI_HOME: home, KUMI_SERVER: 'https://grid.example/' }).server).toBe(
      'https://grid.example',
    )
    expect(() => findPlace({ home, server: 'grid' }, {})).toThrow(/needs the form/)
  })
})

describe('a refusal', () => {
  test('is told in the words of the door it came from', () => {
    const rucio = failureOf(
      404,
      '{"ExceptionClass":"RSENotFound","ExceptionMessage":"RSE X does not exist"}',
      'x',
    )
    expect(rucio).toMatchObject({ code: 'RSENotFound', kind: 'missing', message: 'RSE X does not exist.' })
    const denied = failureOf(401, '{"ExceptionClass":"AccessDenied","ExceptionMessage":"no"}', 'x')
    expect(denied.kind).toBe('denied')
    const token = failureOf(400, '{"error":"invalid_grant","error_description":"Wrong password."}', 'x')
    expect(token).toMatchObject({ kind: 'unauthenticated', message: 'Wrong password.' })
    expect(failureOf(502, '<html>', 'GET /x').message).toBe('GET /x failed: the server answered HTTP 502.')
  })
})

describe('a streamed list', () => {
  test('is the same however the network cuts it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.integer({ min: 1, max: 20 }), async (values, size) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
        const pieces = async function* () {
          for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
        }
        const read: unknown[] = []
        for await (const value of readJsonLines(pieces())) read.push(value)
        expect(JSON.stringify(read)).toBe(JSON.stringify(values))
      }),
    )
  })

  test('that breaks off is an error', async () => {
    const cut = async function* () {
      yield Buffer.from('{"a":1}\n{"a"')
    }
    const read = async () => {
      for await (const _ of readJsonLines(cut()));
    }
    await expect(read()).rejects.toThrow(/broke off/)
  })
})

describe('names and conditions', () => {
  test('a name is what stands after the first colon', () => {
    const part = fc.stringMatching(/^[a-z0-9._/-]{1,20}$/)
    fc.assert(
      fc.property(part, part, (scope, name) => {
        expect(parseDid(didText({ scope, name }))).toEqual({ scope, name })
      }),
    )
    for (const bad of ['', 'x', ':x', 'x:']) expect(() => parseDid(bad)).toThrow(/form scope:name/)
  })

  test('a file has its place at a storage by its name', () => {
    expect(deterministicPath({ scope: 'belle', name: 'f1' })).toBe('belle/b1/1f/f1')
    expect(deterministicPath({ scope: 'user.mika', name: 'a b' })).toMatch(/^user\/mika\/..\/..\/a%20b$/)
  })

  test('metadata and conditions keep numbers as numbers', () => {
    expect(
      parseMetadata(['run_number=7', 'datatype=raw', 'version=1.5', 'code=007', 'good=true', 'x=a=b']),
    ).toEqual({
      run_number: 7,
      datatype: 'raw',
      version: 1.5,
      code: '007',
      good: true,
      x: 'a=b',
    })
    expect(parseConditions(['run_number>=100', 'datatype=raw', 'events < 5', 'exp!=3'])).toEqual({
      'run_number.gte': 100,
      datatype: 'raw',
      'events.lt': 5,
      'exp.ne': 3,
    })
    expect(() => parseConditions(['run'])).toThrow(/not a condition/)
  })
})
