import { CONDITIONS, EXPERIMENT, REPOSITORY } from './release.ts'

/** What both productions of the demo experiment are told. */
export interface Production {
  readonly name: string
  readonly scope: string
  /** Directory and tag of the software. */
  readonly release: string
  /** Where its jobs run; anywhere unless told. */
  readonly sites?: readonly string[]
}

/** Three runs, from generated collisions to one plot, as a person would write it. */
export const generatedProduction = (production: Production & { readonly events: number }): string => `\
# J/psi to two muons: generated, seen by the detector, reconstructed with the conditions of each run, selected, plotted.
# Change it and define it under another name; kumi prod define --check tells what is wrong.
${head(production, 'the demo experiment, from collisions to a plot')}
steps:
  - name: generate
    kind: generate
    program: ${program(production)}
    arguments: [generate, gen.root, "%(experiment)s", "%(run)s", "%(events)s", "%(seed)s", "%(firstEvent)s"]
    eventsPerJob: ${Math.ceil(production.events / 2)}
    output: gen.root
    level: gen
    keep: no                    # goes when the detector has seen it
${LIMITS}
${step(production, { name: 'raw', does: 'simulate', events: 'exact' })}
${step(production, { name: 'mdst', does: 'reconstruct', events: 'exact' })}
${selection(production, 2)}
cells:
  - [${EXPERIMENT}, 1-3, ${production.events}]
`

/** One run as the detector recorded it, to a plot. */
export const recordedProduction = (
  production: Production & {
    /** Scope of its raw data. */
    readonly raw: string
    readonly run: number
    readonly filesPerJob: number
  },
): string => `\
# Run ${production.run} as it was recorded: reconstructed with its conditions, selected, plotted.
${head(production, `run ${production.run}, from raw data to a plot`)}
steps:
${step(production, {
  ...{
    name: 'mdst',
    kind: 'standard',
    does: 'reconstruct',
    events: 'exact',
    filesPerJob: production.filesPerJob,
  },
  input: `{scope: ${production.raw}, where: {run_number: ${production.run}, stream_name: physics}}`,
})}
${selection(production, 1000)}
`

const head = ({ name, scope, release }: Production, description: string): string => `\
production: ${name}
scope: ${scope}
description: ${description}
release: ${release}
software: ${REPOSITORY}@${release}   # every job sees this tree at /cvmfs/${REPOSITORY}
conditions: ${CONDITIONS}         # "nominal" shows what the calibration is good for
campaign: Demo
energy: 4S
scouts: 2
destinations:
  - {storages: '*', copies: 2}`

const program = ({ release }: Production): string => `/cvmfs/${REPOSITORY}/${release}/bin/physics`

const LIMITS = '    time: 300\n    disk: 1024'

interface Told {
  readonly name: string
  readonly does: string
  readonly events: 'exact' | 'fewer'
  readonly kind?: string
  readonly filesPerJob?: number
  readonly input?: string
  readonly output?: string
  /** Its inputs may lie at several sites. */
  readonly afar?: true
}

function step(production: Production, told: Told): string {
  const { name, does, events, kind, filesPerJob, input, output = `${name}.root`, afar } = told
  return [
    `  - name: ${name}`,
    ...(kind ? [`    kind: ${kind}`] : []),
    ...(input ? [`    input: ${input}`] : []),
    ...(filesPerJob ? [`    filesPerJob: ${filesPerJob}`] : []),
    `    program: ${program(production)}`,
    `    arguments: [${does}, ${output}]`,
    `    output: ${output}`,
    `    level: ${name}`,
    `    events: ${events}`,
    ...(afar ? ['    readFromAfar: yes'] : []),
    ...(production.sites ? [`    sites: [${production.sites.join(', ')}]`] : []),
    LIMITS,
  ].join('\n')
}

/** From tracks to the plot. */
const selection = (production: Production, filesOfRun: number): string =>
  (
    [
      { name: 'udst', does: 'skim', events: 'fewer', kind: 'by_run', filesPerJob: filesOfRun, afar: true },
      { name: 'ntuple', does: 'ntuple', events: 'exact' },
      { name: 'plot', does: 'plot', events: 'exact', filesPerJob: 1000, output: 'mass.svg', afar: true },
    ] as const
  )
    .map((told) => step(production, told))
    .join('\n')
