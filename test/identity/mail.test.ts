import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createIdentity, type Identity } from '../../src/identity/index.ts'
import { silentLogger, systemPorts, virtualClock } from '../../src/kernel/index.ts'
import { smtpSender } from '../../src/mail.ts'
import { localCertificates } from '../harness/certificates.ts'
import { testDatabase } from '../harness/database.ts'
import { serverProcesses } from '../harness/server-processes.ts'
import { smtpServer } from '../harness/smtp-server.ts'

const database = testDatabase()
const directory = mkdtempSync(join(tmpdir(), 'kumi-mail-'))
let tls: Awaited<ReturnType<typeof localCertificates>>
let server: Awaited<ReturnType<typeof smtpServer>>
let identity: Identity
const clock = virtualClock(new Date('2026-11-21T12:00:00Z'))
const credentials = join(directory, 'credentials')
const signal = new AbortController().signal

const createWith = (port: number): Identity =>
  createIdentity({
    ...{ db: database.db, clock, ids: systemPorts.ids, log: silentLogger },
    ...{ issuerBase: 'https://localhost:7443', sealKey: new Uint8Array(32) },
    sendMail: smtpSender({
      ...{ server: `smtp://localhost:${port}`, from: 'grid@example.org' },
      ...{ credentials, authorities: tls.files.ca },
    }),
  })
/** Until there is nothing to do at this time. */
const work = async (who = identity): Promise<void> => {
  const worker = who.workers.find(({ name }) => name === 'identity-mails')!
  while ((await worker.tick(clock.now(), signal)).changed > 0);
}
const outbox = async (recipient: string) =>
  (await identity.mails('demo', { offset: 0, limit: 100 })).items.find(
    (mail) => mail.recipient === recipient,
  )!
const register = (username: string, language?: 'en' | 'ja') =>
  identity.register({
    ...{ vo: 'demo', username, givenName: username, familyName: 'Test', peer: username },
    ...{ email: `${username}@example.org`, ...(language && { language }) },
  })
const decoded = (data: string) => {
  const [, body = ''] = data.split(/\r\n\r\n(.*)/s)
  return /base64/i.test(data.split('\r\n\r\n')[0]!)
    ? Buffer.from(body, 'base64').toString()
    : body
        .replaceAll('=\r\n', '')
        .replace(/(=[0-9A-F]{2})+/g, (run) => Buffer.from(run.replaceAll('=', ''), 'hex').toString())
}

beforeAll(async () => {
  tls = await localCertificates(directory)
  writeFileSync(credentials, 'robot:pass:word\n')
  server = await smtpServer(tls.tls)
  identity = createWith(server.port)
  await identity.createVo({ id: 'demo', title: 'Demo' })
  await identity.setPeopleSettings('demo', { registrationOpen: true, confirmEmail: true }, 'admin')
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(() => {
  server.received.length = 0
  delete server.faults.answer
  delete server.faults.afterData
})

describe('a mail', () => {
  test('is sent once, encrypted, with the login of the file, in the language of the person', async () => {
    await register('hana', 'ja')
    await register('noel', 'en')
    await register('kim')
    await work()
    await work()
    expect(server.received.map(({ to, from, encrypted, user }) => [to, from, encrypted, user])).toEqual(
      ['hana', 'noel', 'kim'].map((name) => [
        `${name}@example.org`,
        'grid@example.org',
        true,
        'robot:pass:word',
      ]),
    )
    const [hana, noel, kim] = server.received.map(({ data }) => decoded(data))
    expect(hana).toMatch(/メールアドレスを確認/)
    expect(hana).not.toMatch(/Confirm/)
    expect(noel).toMatch(/Confirm your address: https:\/\/localhost:7443\/iam\/demo\/registration\/verify\//)
    expect(noel).not.toMatch(/確認/)
    expect(kim).toMatch(/Confirm your address[\s\S]*メールアドレスを確認/)
    expect(await outbox('kim@example.org')).toMatchObject({ sentAt: clock.now(), problem: '' })
  })

  test('waits while the mail server is away, and goes when it is back', async () => {
    await server.close()
    await register('rin')
    await work()
    expect(await outbox('rin@example.org')).toMatchObject({
      ...{ sentAt: null, givenUpAt: null },
      problem: expect.stringContaining('took no mail'),
    })
    server = await smtpServer(tls.tls, server.port)
    await work()
    expect(server.received).toEqual([])
    clock.advance(3 * 60_000)
    await work()
    expect(server.received.map(({ to }) => to)).toEqual(['rin@example.org'])
  })

  test('is tried again later when the server says 4xx, also of the login', async () => {
    for (const [name, wanted, answer] of [
      ['sora', /^RCPT/, '451 greylisted, come again'],
      ['yui', /^AUTH/, '535 wrong password'],
    ] as const) {
      server.faults.answer = (line) => (wanted.test(line) ? answer : undefined)
      await register(name)
      await work()
      expect(await outbox(`${name}@example.org`)).toMatchObject({
        ...{ sentAt: null, givenUpAt: null },
        problem: expect.stringContaining(answer.slice(4, 12)),
      })
      delete server.faults.answer
      clock.advance(3 * 60_000)
      await work()
      expect(await outbox(`${name}@example.org`)).toMatchObject({ sentAt: clock.now(), problem: '' })
    }
  })

  test('is given up at once when the server refuses it for good, and after three days in any case', async () => {
    server.faults.answer = (line) => (/^RCPT TO:<(gone|slow)/.test(line) ? '550 no such user' : undefined)
    await register('gone')
    await work()
    expect(await outbox('gone@example.org')).toMatchObject({
      ...{ sentAt: null, givenUpAt: clock.now() },
      problem: expect.stringContaining('no such user'),
    })
    server.faults.answer = (line) => (line.startsWith('RCPT') ? '451 not now' : undefined)
    await register('slow')
    for (let hours = 0; hours < 80; hours += 4) {
      await work()
      clock.advance(4 * 3_600_000 + 600_000)
    }
    expect((await outbox('slow@example.org')).givenUpAt).not.toBeNull()
    delete server.faults.answer
    await work()
    expect(server.received).toEqual([])
  })

  test('that was written long before there was a server is not sent any more', async () => {
    await register('early')
    clock.advance(4 * 86_400_000)
    await work()
    expect(server.received).toEqual([])
    expect(await outbox('early@example.org')).toMatchObject({
      problem: expect.stringContaining('three days'),
    })
  })

  test('is never sent in the clear to a server elsewhere, and the settings say what is wrong', () => {
    const bad = { from: 'grid@example.org', credentials: '', authorities: '' }
    expect(() => smtpSender({ ...bad, server: 'https://mail.example' })).toThrow(/smtp:/)
    expect(() => smtpSender({ ...bad, server: 'smtp://user:secret@mail.example' })).toThrow(/in a file/)
    expect(() => smtpSender({ ...bad, server: 'smtp://mail.example', from: 'grid' })).toThrow(
      /KUMI_MAIL_FROM/,
    )
  })

  test('to a server that offers no encryption is not sent with a password', async () => {
    const log: string[] = []
    server.faults.answer = (line) => {
      log.push(line)
      return line.startsWith('EHLO') ? '250 mail.example' : undefined
    }
    const send = smtpSender({
      ...{ server: `smtp://127.0.0.2:${server.port}`, from: 'grid@example.org', credentials },
      authorities: tls.files.ca,
    })
    const mail = { messageId: '<1@demo>', recipient: 'a@example.org', subject: 's', body: 'b' }
    await expect(send(mail, signal)).rejects.toMatchObject({ code: 'mail_server_away' })
    expect(log.some((line) => /^(AUTH|MAIL)/.test(line))).toBe(false)
  })

  test('whose sender is killed before it could say so is sent once more, and no other twice', {
    timeout: 120_000,
  }, async () => {
    const killed = new Promise<void>((resolve) => {
      server.faults.afterData = async () => {
        // The server has the mail; the answer never comes.
        resolve()
        await new Promise(() => undefined)
      }
    })
    await database.pool.query('delete from mail')
    for (const name of ['one', 'two', 'three']) await register(name)
    await database.pool.query('update mail set created_at = now(), next_at = now()')
    const environment = {
      ...{ KUMI_MAIL_SERVER: `smtp://localhost:${server.port}`, KUMI_MAIL_FROM: 'grid@example.org' },
      ...{ KUMI_MAIL_CREDENTIALS: credentials, KUMI_MAIL_CA: tls.files.ca },
    }
    // Each process comes with a home of its own, whose seal opens no keys of another.
    await database.pool.query('delete from signing_key')
    const first = await serverProcesses(database.url, { environment })
    await killed
    await first.kill(0)
    delete server.faults.afterData
    // The claim of the dead is over after ten minutes; the row is told that they have passed.
    await database.pool.query(`update mail set next_at = now() where sent_at is null`)
    await database.pool.query('delete from signing_key')
    const second = await serverProcesses(database.url, { environment })
    const unsent = async () =>
      (await database.pool.query('select 1 from mail where sent_at is null')).rowCount
    while ((await unsent()) !== 0) await delay(20)
    await second.close()
    await first.close()
    const ids = server.received.map(({ data }) => /^Message-ID: (.*)$/im.exec(data)![1])
    expect(new Set(ids).size).toBe(3)
    expect(ids).toHaveLength(4)
  })
})
