import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { testDatabase } from '../../test/harness/database.ts'
import { type RuleModel, ruleModel, SIZE } from '../../test/harness/rule-model.ts'

const database = testDatabase()
let model: RuleModel
beforeAll(async () => {
  model = await ruleModel(database)
})

const below = (n: number) => fc.nat(n - 1)
const dataset = below(SIZE.datasets)
const file = below(SIZE.files)
const storage = below(SIZE.storages)
/** One thing that people, storages or time do; numbers point at whatever is there then. */
const deed = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('addRule' as const),
      // Datasets, the container, and now and then a single file.
      target: fc.oneof(
        { weight: 4, arbitrary: below(SIZE.datasets + 1) },
        below(SIZE.datasets + SIZE.files + 1),
      ),
      copies: fc.integer({ min: 1, max: 2 }),
      expression: below(SIZE.expressions),
      grouping: fc.constantFrom('ALL', 'DATASET', 'NONE'),
      account: fc.integer({ min: 1, max: 3 }),
      hours: fc.option(fc.integer({ min: 1, max: 48 })),
      purge: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constant('removeRule' as const), rule: fc.nat() }),
  fc.record({ do: fc.constantFrom('suspend' as const, 'resume' as const), rule: fc.nat() }),
  { weight: 5, arbitrary: fc.record({ do: fc.constant('attach' as const), dataset, file }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('detach' as const), member: fc.nat() }) },
  fc.record({ do: fc.constant('attachDataset' as const), dataset }),
  fc.record({ do: fc.constant('detachDataset' as const), dataset }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('loseCopy' as const), copy: fc.nat() }) },
  fc.record({ do: fc.constant('fill' as const), storage }),
  fc.record({ do: fc.constant('empty' as const), storage }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('pass' as const), hours: fc.constantFrom(1, 2, 30, 400) }),
  },
)

test('whatever happens in whatever order, rules, copies, gaps and counters agree when all has settled', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(deed, fc.boolean()), { minLength: 5, maxLength: 20 }),
      async (deeds) => {
        await model.begin()
        for (const [one, settles] of deeds) {
          await model.carryOut(one)
          // Not always: the loops also meet several changes at once.
          if (!settles) continue
          await model.settle()
          for (const state of await model.check()) seen.add(state)
        }
        await model.settle()
        for (const state of await model.check()) seen.add(state)
      },
    ),
    { numRuns: 20, seed: 7 },
  )
  // It did come to all that can happen to a rule.
  expect([...seen].sort()).toEqual(['OK', 'STUCK', 'SUSPENDED'])
}, 300_000)
