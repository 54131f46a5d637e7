import { compilePolicy, type Rule } from '../src/identity/policy/decide.ts'
import { anonymous, type Principal } from '../src/identity/principal.ts'
import { parseScopes } from '../src/identity/tokens/scope.ts'
import { measure } from './measure.ts'

const GROUPS = 500
const DECISIONS = 1_000_000

/** One decision among `count` rules of groups, accounts and paths, for somebody in ten groups. */
export async function policyBenchmark(count: number): Promise<Record<string, number>> {
  const rules = Array.from(
    { length: count },
    (_, i): Rule => ({
      vo: 'demo',
      subjectKind: i % 3 === 0 ? 'account' : 'group',
      subject: i % 3 === 0 ? `user${i}` : `/demo/g${i % GROUPS}`,
      action: ['catalog.*', 'placement.rule.*', 'transfer.read'][i % 5] ?? '*',
      resource: ['owner', `/raw/run-${i}`, '/user'][i % 4] ?? '/mc',
      effect: i % 50 === 0 ? 'deny' : 'allow',
    }),
  )
  const who: Principal = {
    ...anonymous,
    kind: 'user',
    vo: 'demo',
    account: 'user3',
    accountId: 3,
    groups: Array.from({ length: 10 }, (_, i) => `/demo/g${i * 7 + 1}`),
    scopes: parseScopes('storage.read:/ grid'),
  }
  const started = performance.now()
  const policy = compilePolicy(rules)
  policy.decide(who, 'catalog.did.create', { vo: 'demo' })
  const compiled = performance.now() - started
  const timed = await measure([process.pid], async () => {
    for (let i = 0; i < DECISIONS; i++) {
      policy.decide(who, 'catalog.did.create', { vo: 'demo', owner: 'user3', path: `/raw/run-${i % 1000}/f` })
    }
  })
  return {
    rules: count,
    arrange_ms: compiled,
    decision_us: (1e6 * timed.wallSeconds) / DECISIONS,
    decision_cpu_us: (1e6 * timed.cpuSeconds) / DECISIONS,
  }
}
