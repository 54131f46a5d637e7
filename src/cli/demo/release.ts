import { chmod, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programDirectory } from '../grid/program-directory.ts'
import { calibrated, nominal } from './physics/conditions.ts'

export const REPOSITORY = 'physics.example.org'
/** The tag of conditions that the production names. */
export const CONDITIONS = 'calibrated_1'
export const EXPERIMENT = 26
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

/** The production as a person would write it: three runs, from collisions to one plot. */
export const definitionOf = ({
  name,
  scope,
  release,
  events,
}: {
  readonly name: string
  readonly scope: string
  /** Directory and tag of the software. */
  readonly release: string
  readonly events: number
}): string => `# J/psi to two muons: generated, seen by the detector, reconstructed with the conditions of each run, selected, plotted.
# Change it and define it under another name; kumi prod define --check tells what is wrong.
production: ${name}
scope: ${scope}
description: the demo experiment, from collisions to a plot
release: ${release}
software: ${REPOSITORY}@${release}   # every job sees this tree at /cvmfs/${REPOSITORY}
conditions: ${CONDITIONS}         # "nominal" shows what the calibration is good for
campaign: Demo
energy: 4S
scouts: 2
destinations:
  - {storages: '*', copies: 2}
steps:
  - name: generate
    kind: generate
    program: /cvmfs/${REPOSITORY}/${release}/bin/physics
    arguments: [generate, gen.root, "%(experiment)s", "%(run)s", "%(events)s", "%(seed)s"]
    eventsPerJob: ${Math.ceil(events / 2)}
    output: gen.root
    level: gen
    keep: no                    # goes when the detector has seen it
    time: 300
    disk: 1024
  - name: raw
    program: /cvmfs/${REPOSITORY}/${release}/bin/physics
    arguments: [simulate, raw.root]
    output: raw.root
    level: raw
    events: exact
    time: 300
    disk: 1024
  - name: mdst
    program: /cvmfs/${REPOSITORY}/${release}/bin/physics
    arguments: [reconstruct, mdst.root]
    output: mdst.root
    level: mdst
    events: exact
    time: 300
    disk: 1024
  - name: udst
    kind: by_run
    filesPerJob: 2
    program: /cvmfs/${REPOSITORY}/${release}/bin/physics
    arguments: [skim, udst.root]
    output: udst.root
    level: udst
    events: fewer
    readFromAfar: yes
    time: 300
    disk: 1024
  - name: ntuple
    program: /cvmfs/${REPOSITORY}/${release}/bin/physics
    arguments: [ntuple, ntuple.root]
    output: ntuple.root
    level: ntuple
    events: exact
    time: 300
    disk: 1024
  - name: plot
    filesPerJob: 1000
    program: /cvmfs/${REPOSITORY}/${release}/bin/physics
    arguments: [plot, mass.svg]
    output: mass.svg
    level: plot
    events: exact
    readFromAfar: yes
    time: 300
    disk: 1024
cells:
  - [${EXPERIMENT}, 1-3, ${events}]
`
