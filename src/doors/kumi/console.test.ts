import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHttp, type Http, routeInventory } from '../../http/index.ts'
import { anonymous } from '../../identity/index.ts'
import { silentLogger, systemClock } from '../../kernel/index.ts'
import { serveConsole } from './console.ts'

let directory: string
let http: Http
const build = (into: string, name: string): void => {
  mkdirSync(join(into, 'assets'), { recursive: true })
  writeFileSync(join(into, 'index.html'), `<script src="/assets/${name}.js"></script>`)
  writeFileSync(join(into, 'braid.svg'), '<svg/>')
  writeFileSync(join(into, 'assets', `${name}.js`), `console.log('${name}')`)
}
const get = (url: string) => http.app.inject({ url })

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'kumi-console-'))
  build(join(directory, 'web'), 'first')
  http = createHttp({
    identity: { verify: async () => anonymous, authorize: () => undefined },
    audience: ['x'],
    log: silentLogger,
    clock: systemClock,
    port: 0,
  })
  await serveConsole(http.app, join(directory, 'web'))
  await http.app.ready()
})
afterEach(async () => {
  await http.close()
  rmSync(directory, { recursive: true, force: true })
})

describe('the files of the console', () => {
  test('the page is asked for at every visit, its parts are kept', async () => {
    const page = await get('/')
    expect([page.statusCode, page.headers['cache-control']]).toEqual([200, 'no-cache'])
    expect(page.headers['content-security-policy']).toContain("default-src 'self'")
    const part = await get('/assets/first.js')
    expect([part.statusCode, part.headers['cache-control']]).toEqual([
      200,
      'public, max-age=31536000, immutable',
    ])
    expect(part.headers['content-security-policy']).toContain("default-src 'self'")
    expect((await get('/braid.svg')).headers['cache-control']).toBe('no-cache')
  })

  test('a console that is built anew is served by the server that runs', async () => {
    await get('/')
    build(join(directory, 'web.new'), 'second')
    rmSync(join(directory, 'web'), { recursive: true })
    renameSync(join(directory, 'web.new'), join(directory, 'web'))
    expect((await get('/')).body).toContain('/assets/second.js')
    expect((await get('/assets/second.js')).body).toBe("console.log('second')")
    expect((await get('/assets/first.js')).statusCode).toBe(404)
  })

  test('nothing outside is served, and all routes are public', async () => {
    writeFileSync(join(directory, 'secret'), 'x')
    for (const path of ['/assets/../../secret', '/assets/%2e%2e/%2e%2e/secret', '/assets/', '/assets']) {
      expect([path, (await get(path)).statusCode >= 400]).toEqual([path, true])
    }
    expect(routeInventory(http.app).every(({ action }) => action === 'public')).toBe(true)
  })
})
