// Pilots that are played in this process: they speak the wire of ours to a real server and real storages, and do badly what
// can be done badly, each with a probability of one in ten. What happened is counted.

import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { request } from 'undici'
import { adler32, adler32Hex } from '../../dist/src/kernel/adler32.js'

const FAULT = 0.1
const SLOTS = 4

/**
 * `count` places at the sites, where one pilot after the other works until `stop` is called.
 * `agent`: connections to the grid; `token`: of an administrator, who starts pilots and tells of their ends; `vo`, `tag`:
 * what the pilots are of and offer; `rng`: seeded; `until`: when even the patience of pilots ends, in ms.
 */
export function playPilots({ server, agent, token, vo, sites, count, tag, rng, until }) {
  const faults = new Map()
  const seen = { starts: 0, lateRefused: 0, lateTaken: 0, slowestMs: 0 }
  const ended = new AbortController()
  const unlucky = (what) => {
    if (rng.next() >= FAULT) return false
    faults.set(what, (faults.get(what) ?? 0) + 1)
    return true
  }
  const places = Array.from({ length: count }, (_, i) => place(sites[i % sites.length]))

  /** One question of a pilot; what the server says, or undefined when it refuses. */
  async function ask({ stamp, token }, path, body) {
    for (let tries = 1; ; tries++) {
      const before = performance.now()
      const answer = await request(`${server}/kumi/v1/pilots/${stamp}/${path}`, {
        ...{ dispatcher: agent, method: 'POST', body: JSON.stringify(body) },
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      }).catch(() => undefined)
      if (answer) {
        const text = await answer.body.text()
        seen.slowestMs = Math.max(seen.slowestMs, performance.now() - before)
        if (answer.statusCode < 300) return text ? JSON.parse(text) : {}
        if (answer.statusCode < 500) return undefined
      }
      if (tries === 30 || Date.now() > until) throw new Error(`the server does not answer ${path}`)
      await delay(300)
    }
  }

  /** A place where one pilot after the other works; every tenth node is a black hole. */
  async function place(site) {
    while (!ended.signal.aborted) {
      const stamp = `c-${site}-${Math.floor(rng.next() * 1e12)}`
      const made = await admin('POST', '/diracx/api/pilots/', {
        ...{ pilot_stamp: stamp, vo, grid_site: site, destination_site: site },
      })
      if (made >= 300) throw new Error(`a pilot was not taken: ${made}`)
      const own = await adminJson('POST', `/kumi/v1/pilots/${stamp}/token`, {})
      const pilot = { stamp, token: own.token }
      const hole = unlucky('black-hole node')
      await Promise.all(Array.from({ length: SLOTS }, () => slot(pilot, hole)))
      await ask(pilot, 'end', { reason: 'over' }).catch(() => undefined)
    }
  }

  async function slot(pilot, hole) {
    while (!ended.signal.aborted && !pilot.dead) {
      const free = {
        ...{ cores: 1, memoryMb: 4096, diskMb: 50_000, seconds: 86_400, platform: 'x86_64', tags: [tag] },
      }
      const given = await ask(pilot, 'lease', { free, most: 1, holding: pilot.holding ?? [] })
      if (!given || given.drain) return
      const [job] = given.jobs.filter(
        (each) => !(pilot.holding ?? []).some((held) => held.jobId === each.jobId),
      )
      if (!job) {
        await delay(300 + rng.next() * 700)
        continue
      }
      const held = { jobId: job.jobId, attempt: job.attempt }
      pilot.holding = [...(pilot.holding ?? []), held]
      seen.starts++
      if (hole) await ask(pilot, 'complete', ending(held, 'site_fault', 'Exception During Execution'))
      else await work(pilot, job, held)
      pilot.holding = pilot.holding.filter((one) => one !== held)
    }
  }

  function ending(held, outcome, minor, more = {}) {
    return {
      ...{ ...held, outcome, minor, application: minor, exitCode: null, files: [], metadata: {}, logs: [] },
      ...more,
    }
  }

  async function work(pilot, job, held) {
    const inputs = job.item?.inputs ?? []
    const lines = []
    if (inputs.length > 0) {
      if (unlucky('input download'))
        return ask(pilot, 'complete', ending(held, 'site_fault', 'Failed Downloading Input Data'))
      const answer = await ask(pilot, 'inputs', { ...held, from: 0, count: 100 })
      if (!answer) return
      for (const input of answer.files) lines.push(...(await fetched(input)))
    } else {
      const { KUMI_EVENTS, KUMI_SEED } = job.spec.environment
      for (let i = 0; i < Number(KUMI_EVENTS); i++) lines.push(`${KUMI_SEED} ${i}`)
    }
    let events = lines.length
    if (unlucky('worker killed')) return killed(pilot, held, lines)
    if (unlucky('wrong output')) {
      const kind = Math.floor(rng.next() * 3)
      if (kind === 0)
        return ask(
          pilot,
          'complete',
          ending(held, 'failed', 'Application Finished With Errors', { exitCode: 139 }),
        )
      if (kind === 1) events -= 1
      else lines.length = 0
    }
    const promise = (
      await ask(pilot, 'outputs', { ...held, files: [{ output: 0, file: job.spec.outputs[0].pattern }] })
    )?.files[0]
    if (!promise) return
    const [first, second] = promise.places
    let at = first
    if (unlucky('upload')) {
      await put(first, lines, true)
      if (!second || rng.next() < 0.5)
        return ask(pilot, 'complete', ending(held, 'site_fault', 'Failed Uploading Output Data'))
      at = second
    }
    const file = await put(at, lines)
    const files = [{ output: 0, scope: promise.scope, name: promise.name, rse: at.rse, ...file }]
    const done = ending(held, 'done', 'Execution Complete', { exitCode: 0, files, metadata: { events } })
    // Thousands of jobs end at once: the connection breaks after the document was sent, and it is sent again.
    if (unlucky('registration load')) await broken(pilot, done)
    const taken = await ask(pilot, 'complete', done)
    if (taken && unlucky('duplicate report')) await ask(pilot, 'complete', done)
    // As a pilot does when the server refuses what it made.
    if (!taken)
      await ask(
        pilot,
        'complete',
        ending(held, 'failed', 'Output Data Not Registered', { application: 'Wrong output: refused' }),
      )
  }

  async function fetched({ places, bytes }) {
    for (let tries = 0; tries < 20; tries++) {
      for (const { url, token } of places) {
        const answer = await request(url, {
          dispatcher: agent,
          headers: { authorization: `Bearer ${token}` },
        }).catch(() => undefined)
        const text = await answer?.body.text()
        if (answer?.statusCode === 200 && text.length === Number(bytes))
          return text.split('\n').filter(Boolean)
      }
      await delay(500)
    }
    throw new Error('an input cannot be read')
  }

  async function put({ url, token }, lines, half = false) {
    const content = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    const sums = {
      bytes: content.length,
      adler32: adler32Hex(adler32(content, 1)),
      md5: createHash('md5').update(content).digest('hex'),
    }
    async function* part() {
      yield content.subarray(0, content.length / 2)
      throw new Error('broken off')
    }
    const answer = await request(url, {
      ...{ dispatcher: agent, method: 'PUT', body: half ? part() : content },
      headers: {
        authorization: `Bearer ${token}`,
        'content-length': String(content.length),
        'if-none-match': '*',
        digest: `adler32=${sums.adler32}`,
      },
    }).catch((error) => {
      if (half) return undefined
      throw error
    })
    await answer?.body.dump()
    return sums
  }

  /** The worker dies; its batch system tells. Half of the dead come back later and report all the same. */
  async function killed(pilot, held, lines) {
    const promise = (await ask(pilot, 'outputs', { ...held, files: [{ output: 0, file: 'mdst.txt' }] }))
      ?.files[0]
    pilot.dead = true
    const told = await admin('PATCH', '/diracx/api/pilots/metadata', {
      [pilot.stamp]: { Status: 'Failed', StatusReason: 'node lost' },
    })
    if (told >= 300) throw new Error(`the end of a pilot was not taken: ${told}`)
    if (!promise || rng.next() < 0.5) return
    await delay(1000)
    const [at] = promise.places
    const file = await put(at, lines)
    const files = [{ output: 0, scope: promise.scope, name: promise.name, rse: at.rse, ...file }]
    const late = await ask(
      pilot,
      'complete',
      ending(held, 'done', 'Execution Complete', { files, metadata: { events: lines.length } }),
    )
    if (late) seen.lateTaken++
    else seen.lateRefused++
  }

  async function broken({ stamp, token }, document) {
    const stop = new AbortController()
    const sent = request(`${server}/kumi/v1/pilots/${stamp}/complete`, {
      ...{ dispatcher: agent, method: 'POST', body: JSON.stringify(document), signal: stop.signal },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    })
    setTimeout(() => stop.abort(), rng.next() * 30)
    await sent.then(({ body }) => body.dump()).catch(() => undefined)
  }

  function adminCall(method, path, body) {
    return request(server + path, {
      ...{ dispatcher: agent, method, body: JSON.stringify(body) },
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    })
  }
  async function admin(method, path, body) {
    const answer = await adminCall(method, path, body)
    await answer.body.dump()
    return answer.statusCode
  }
  async function adminJson(method, path, body) {
    return (await adminCall(method, path, body)).body.json()
  }

  const troubled = Promise.race(places).then(() => new Promise(() => {}))
  troubled.catch(() => {})
  return {
    faults,
    seen,
    /** Ends the places; resolves when all their pilots are over. */
    async stop() {
      ended.abort()
      await Promise.all(places)
    },
    /** Rejects when a place broke. */
    troubled,
  }
}
