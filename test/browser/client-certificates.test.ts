// A server that asks for client certificates must not bother people in browsers.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLIENT_CERTIFICATE_OPTIONS } from '../../src/identity/verifier.ts'
import { missing } from '../harness/foreign.ts'
import { opensslPki } from '../harness/pki.ts'
import { startBrowser, WHOLE_CHROMIUM } from './screen.ts'

describe.skipIf(missing(WHOLE_CHROMIUM))('a browser without certificates', () => {
  const pki = opensslPki()
  const servers: Server[] = []
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser(WHOLE_CHROMIUM)
  })
  afterAll(async () => {
    await browser?.close()
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
    pki.remove()
  })

  test('shows the page at once, whether the server names authorities or takes any', async () => {
    const root = pki.authority('/O=Grid/CN=Root')
    const host = pki.make({
      subject: '/CN=localhost',
      issuer: root,
      extensions: 'subjectAltName=DNS:localhost',
    })
    for (const authorities of [undefined, root.pem]) {
      const server = createServer(
        {
          ...{ cert: host.pem, key: readFileSync(host.key), ...CLIENT_CERTIFICATE_OPTIONS },
          ...(authorities && { ca: authorities }),
        },
        (_request, response) => response.end('the page'),
      )
      servers.push(server)
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const page = await browser.newPage({ ignoreHTTPSErrors: true })
      await page.goto(`https://localhost:${(server.address() as AddressInfo).port}/`)
      expect(await page.innerText('body')).toBe('the page')
      await page.close()
    }
  })
})
