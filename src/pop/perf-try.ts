import { readFileSync, writeFileSync, createWriteStream } from 'node:fs'
import { execFileSync, execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { Agent, request } from 'node:https'
import { test } from 'vitest'
import { everything, gatewayWorld } from '../../test/harness/gateway-world.ts'
const run = promisify(execFile)
const cpu = (pid: number) => { const f = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) / 100 }
const peak = (pid: number) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
test('perf', async () => {
  const w = await gatewayWorld(['a', 'b'])
  await w.openIssuer()
  const [a, b] = w.sites
  const pa = (await w.startProgram(a!)).pid!, pb = (await w.startProgram(b!)).pid!
  console.log('idle rss', peak(pa))
  const big = join(w.home, 'big')
  execFileSync('sh', ['-c', `head -c 1000000000 /dev/urandom > ${big}`])
  const t = await w.mint(everything)
  const timed = async (name: string, f: () => Promise<unknown>) => {
    const [c1, c2, s] = [cpu(pa), cpu(pb), Date.now()]
    await f()
    const sec = (Date.now() - s) / 1000
    console.log(name, (1000 / sec).toFixed(0), 'MB/s', 'cpu a', (cpu(pa) - c1).toFixed(2), 'b', (cpu(pb) - c2).toFixed(2), 'peak', peak(pa).toFixed(0), peak(pb).toFixed(0), 'load', readFileSync('/proc/loadavg', 'utf8').slice(0, 4))
  }
  const c = (...r: string[]) => run('curl', ['-sS', '-4', '--fail', '--cacert', w.ca, '-H', `Authorization: Bearer ${t}`, ...r], { maxBuffer: 1e8 })
  await timed('PUT', () => c('-T', big, a!.url('/big')))
  await timed('GET', () => c('-o', '/dev/null', a!.url('/big')))
  await timed('COPY pull', async () => { const o = await c('-X', 'COPY', '-H', `Source: ${a!.url('/big')}`, '-H', `TransferHeaderAuthorization: Bearer ${t}`, b!.url('/big')); if (!/success/.test(o.stdout)) throw new Error(o.stdout) })
  await timed('COPY push', async () => { const o = await c('-X', 'COPY', '-H', `Destination: ${b!.url('/big2')}`, '-H', `TransferHeaderAuthorization: Bearer ${t}`, a!.url('/big')); if (!/success/.test(o.stdout)) throw new Error(o.stdout) })
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: readFileSync(w.ca) })
  const body = Buffer.alloc(16384, 3)
  const put = (i: number) => new Promise<void>((ok, bad) => { const q = request(a!.url(`/small/${i % 64}/${i}`), { method: 'PUT', agent, family: 4, headers: { authorization: `Bearer ${t}`, 'content-length': 16384 } }, (r) => { r.resume(); r.on('end', () => r.statusCode === 201 ? ok() : bad(new Error(String(r.statusCode)))) }); q.on('error', bad); q.end(body) })
  const [c1, s] = [cpu(pa), Date.now()]
  let n = 0
  await Promise.all(Array.from({ length: 8 }, async () => { while (n < 2000) await put(n++) }))
  console.log('2000 small PUT', (Date.now() - s) / 2000, 'ms/file wall', ((cpu(pa) - c1) / 2).toFixed(2), 'ms/file cpu; peak', peak(pa).toFixed(0))
  const [d1, d2, s2] = [cpu(pa), cpu(pb), Date.now()]
  n = 0
  const cp = (i: number) => new Promise<void>((ok, bad) => { const q = request(b!.url(`/small/${i % 64}/${i}`), { method: 'COPY', agent, family: 4, headers: { authorization: `Bearer ${t}`, source: a!.url(`/small/${i % 64}/${i}`), transferheaderauthorization: `Bearer ${t}` } }, (r) => { let x = ''; r.on('data', (y) => (x += y)); r.on('end', () => /success/.test(x) ? ok() : bad(new Error(x))) }); q.on('error', bad); q.end() })
  await Promise.all(Array.from({ length: 8 }, async () => { while (n < 2000) await cp(n++) }))
  console.log('2000 small COPY', (Date.now() - s2) / 2000, 'ms/file wall; cpu a', ((cpu(pa) - d1) / 2).toFixed(2), 'b', ((cpu(pb) - d2) / 2).toFixed(2), 'peak', peak(pa).toFixed(0), peak(pb).toFixed(0))
  agent.destroy()
  await w.close()
})
