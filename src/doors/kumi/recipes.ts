import { Type } from 'typebox'
import { type Did, findDids, getDidsByIds, resolveDids } from '../../catalog/index.ts'
import type { Db } from '../../kernel/index.ts'
import { fileOnceRead, makingOf } from '../../production/index.ts'
import { attemptsOf, jobsByIds, makersOfFiles, recipeOf, workloadErrors } from '../../workload/index.ts'
import { makingAnswer, pinnedAnswer, Recipe } from './job-answers.ts'
import type { JobDoorDeps } from './job-deps.ts'
import type { Operations } from './operation.ts'

/** How a file was made, with everything that is needed to make it again. */
export function registerRecipes(
  door: Operations,
  { db, identity }: Pick<JobDoorDeps, 'db' | 'identity'>,
): void {
  door.get({
    url: '/kumi/v1/files/:scope/:name/recipe',
    action: 'workload.read',
    summary:
      'The exact recipe of a file: program, arguments, environment, software, inputs with checksums, seed, conditions',
    schema: { params: Type.Object({ scope: Type.String(), name: Type.String() }) },
    answer: Recipe,
    handler: async ({ principal, params }) => {
      const { vo } = principal
      const [file] = await described(db, vo, [params])
      const [made] = await makersOfFiles(db, [file!.id])
      if (!made) throw workloadErrors.jobMissing(`No job of this grid made ${params.scope}:${params.name}.`)
      const [making] = await makingOf(db, [file!.id])
      // Productions are everybody's; what somebody sent along with a job of their own may be meant for nobody else.
      const [job] = await jobsByIds(db, vo, [made.jobId])
      if (!making) identity.authorize(principal, 'workload.control', { vo, owner: job!.ownerId })
      const attempt = (await attemptsOf(db, [made.jobId])).find(({ n }) => n === made.attempt)
      const { spec, item } = await recipeOf(db, vo, made.jobId)
      const { executable, arguments: words, environment, files, outputs } = spec
      const inputs = await described(db, vo, item?.inputs ?? [])
      return {
        file: factsOf(file!),
        job: made.jobId,
        ...{ attempt: made.attempt, site: attempt?.site ?? '', number: item?.n ?? 0 },
        ...{ executable, arguments: [...words], environment: { ...environment } },
        files: files.map(({ name, executable: runs, content }) => ({ name, executable: runs, content })),
        software: pinnedAnswer(spec),
        sandboxes: spec.inputSandboxes.length,
        inputs: inputs.map(factsOf),
        outputs: outputs.map(({ pattern }) => pattern),
        production: making ? makingAnswer(making) : null,
      }
    },
  })
}

interface Described extends Did {
  readonly id: bigint
  readonly kept: boolean
  readonly bytes: bigint | null
  readonly adler32: string | null
  readonly md5: string | null
}

const factsOf = ({ id: _, ...facts }: Described) => facts

/** Files by name, also those that were given up. Throws did_not_found. */
async function described(db: Db, vo: string, dids: readonly Did[]): Promise<Described[]> {
  if (dids.length === 0) return []
  const known = await findDids(db, { vo, dids })
  const found: { did: Did; id: bigint }[] = []
  for (const [i, did] of dids.entries()) {
    const id = known[i]?.id ?? (await fileOnceRead(db, vo, did))?.id
    found.push({ did, id: id ?? (await resolveDids(db, { vo, dids: [did] }))[0]!.id })
  }
  const facts = new Map(
    (
      await getDidsByIds(
        db,
        found.map(({ id }) => id),
      )
    ).map((did) => [did.id, did]),
  )
  return found.map(({ did: { scope, name }, id }, i) => {
    const file = facts.get(id)
    const { bytes, adler32, md5 } = file?.kind === 'FILE' ? file : { bytes: null, adler32: null, md5: null }
    return { id, scope, name, kept: known[i] !== undefined, bytes, adler32, md5 }
  })
}
