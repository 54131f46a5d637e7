import { chmod, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programDirectory } from '../grid/program-directory.ts'
import { calibrated, nominal } from './physics/conditions.ts'

export const REPOSITORY = 'physics.example.org'
/** The tag of conditions that the production names. */
export const CONDITIONS = 'calibrated_1'
export const EXPERIMENT = 7
const RUNS = [1, 999] as const

/** Parts of jsroot that reading a tree takes. */
const JSROOT = [
  'package.json',
  'LICENSE',
  'modules/core.mjs',
  'modules/io.mjs',
  'modules/tree.mjs',
  'modules/base/math.mjs',
]

const PHYSICS = `#!/bin/sh
# One step of the experiment: physics generate|simulate|reconstruct|skim|ntuple|plot OUTPUT …
exec "\${KUMI_NODE:-node}" "$(dirname "$0")/../lib/demo/physics/main.js" "$@"
`

/**
 * Writes the software of the demo experiment as it is published: bin/physics, the compiled programs, what they use,
 * and conditions/. Everything that was in the directory goes.
 */
export async function writeRelease(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  const compiled = join(programDirectory, 'cli')
  for (const part of ['demo/physics', 'run-data']) {
    const to = join(directory, 'lib', part)
    await mkdir(to, { recursive: true })
    const wanted = part === 'run-data' ? /^(root-.*|class-layouts)\.js$/ : /\.js$/
    for (const name of await readdir(join(compiled, part)))
      if (wanted.test(name)) await cp(join(compiled, part, name), join(to, name))
  }
  await writeFile(join(directory, 'lib/package.json'), '{"type": "module"}\n')
  const jsroot = dirname(dirname(fileURLToPath(import.meta.resolve('jsroot/io'))))
  for (const file of JSROOT)
    await cp(join(jsroot, file), join(directory, 'lib/node_modules/jsroot', file), { dereference: true })
  const tags = { [CONDITIONS]: calibrated, nominal }
  await mkdir(join(directory, 'conditions'))
  for (const [tag, payloads] of Object.entries(tags)) {
    const lines = payloads(EXPERIMENT, ...RUNS).map((payload) => JSON.stringify(payload))
    await writeFile(join(directory, 'conditions', `${tag}.json`), `[\n${lines.join(',\n')}\n]\n`)
  }
  await mkdir(join(directory, 'bin'))
  await writeFile(join(directory, 'bin/physics'), PHYSICS)
  await chmod(join(directory, 'bin/physics'), 0o755)
}
