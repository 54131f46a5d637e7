import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { vomsPortOf } from '../src/embedded/index.ts'
import { issueHostCertificate } from '../src/identity/x509/certificates.ts'
import { type BenchGrid, withGrid } from './grid.ts'
import { measure } from './measure.ts'

const LANES = 16

/** Attribute certificates through the VOMS port, each over a TLS connection of its own, as the clients do it. */
export async function vomsBenchmark(seconds: number): Promise<Record<string, number>> {
  return withGrid(async (bench) => {
    const ask = await member(bench)
    await inLanes(2, ask)
    const roots = [bench.pid('server'), bench.pid('postgres')]
    const { value: count, wallSeconds, cpuSeconds } = await measure(roots, () => inLanes(seconds, ask))
    return {
      attributeCertificates: count,
      perSecond: Math.round(count / wallSeconds),
      serverCpuMillisecondsEach: Math.round((cpuSeconds / count) * 1e5) / 100,
    }
  })
}

/** How often `work` was done. */
async function inLanes(seconds: number, work: () => Promise<void>): Promise<number> {
  const end = performance.now() + seconds * 1000
  let count = 0
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      await work()
      count++
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return count
}

/** Makes somebody with a certificate; the function asks for that person's attributes once. */
async function member({ home, facts, doors }: BenchGrid): Promise<() => Promise<void>> {
  const ca = {
    certificatePem: readFileSync(join(home.ca, 'ca.pem'), 'utf8'),
    privateKeyPem: readFileSync(join(home.ca, 'ca.key'), 'utf8'),
  }
  const { certificatePem, privateKeyPem } = await issueHostCertificate({
    ca,
    names: ['bench'],
    now: new Date(),
  })
  const base = `/iam/${facts.vo}`
  const { id } = await doors.call<{ id: string }>('POST', `${base}/scim/Users`, { userName: 'bench' })
  await doors.call('POST', `${base}/account-linking/X509`, { account: 'bench', pem: certificatePem })
  await doors.call('PATCH', `${base}/iam/aup/signature/${id}`, {})
  const options = {
    ...{ host: 'localhost', port: vomsPortOf(facts.port), ca: ca.certificatePem },
    ...{ cert: certificatePem, key: privateKeyPem },
  }
  const request = `0GET /generate-ac?fqans=/${facts.vo}&lifetime=43200 HTTP/1.0\nUser-Agent: voms APIs 2.0\n\n`
  return () =>
    new Promise((resolve, reject) => {
      let answer = ''
      const socket = connect(options, () => socket.write(request))
      socket.on('data', (chunk) => {
        answer += chunk
      })
      socket.on('error', reject)
      socket.on('close', () => (answer.includes('<voms><ac>') ? resolve() : reject(new Error(answer))))
    })
}
