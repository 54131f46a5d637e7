import type { ArcPlace } from './arc-place.ts'
import type { PilotFile } from './batch-system.ts'

/** Files of a pilot's job; all are sent by the gateway, and nothing begins before the last one is there. */
export const FILES = {
  script: 'pilot.sh',
  bundle: 'bundle.tgz',
  authority: 'ca.pem',
  /** The last: with it the job may begin. */
  config: 'pilot.json',
} as const

/** A pilot ends by its own clock; that of the batch system is for those that do not. */
const MARGIN_SECONDS = 300

/** At least `least`, whole. */
const amountOf = (offer: PilotFile, key: string, least: number): number =>
  Math.max(least, Math.ceil(Number(offer[key] ?? 0)) || 0)

/** Descriptions of jobs in the extended resource specification language, one for each name. */
export function descriptionsOf(
  names: readonly string[],
  wanted: { readonly place: ArcPlace; readonly offer: PilotFile; readonly delegation: string | undefined },
): string {
  const { place, offer, delegation } = wanted
  const cores = amountOf(offer, 'cores', 1)
  const minutes = Math.ceil((amountOf(offer, 'seconds', 60) + MARGIN_SECONDS) / 60)
  const common = [
    attribute('executable', '/bin/sh'),
    attribute('arguments', FILES.script),
    `(inputfiles=${Object.values(FILES)
      .map((name) => `("${name}" "")`)
      .join('')})`,
    attribute('stdout', 'out'),
    '(outputfiles=("out" ""))',
    attribute('join', 'yes'),
    attribute('rerun', '0'),
    attribute('count', String(cores)),
    ...(cores > 1 ? [attribute('countpernode', String(cores))] : []),
    // Of each core.
    attribute('memory', String(Math.ceil(amountOf(offer, 'memoryMb', 256) / cores))),
    // Without a unit the one side of ARC reads minutes, the other seconds.
    attribute('walltime', `${minutes} minutes`),
    attribute('cputime', `${minutes * cores} minutes`),
    ...(place.queue ? [attribute('queue', place.queue)] : []),
    ...(delegation === undefined ? [] : [attribute('delegationid', delegation)]),
  ].join('')
  return `+${names.map((name) => `(&${attribute('jobname', name)}${common})`).join('')}`
}

function attribute(name: string, value: string): string {
  if (/["\n]/.test(value)) throw new Error(`${name} cannot be said in a job description.`)
  return `(${name}="${value}")`
}

/** What the job runs; `program` and `node` are names inside the bundle, or a path of the worker for Node. */
export function pilotScript(wanted: {
  readonly stamp: string
  readonly program: string
  readonly node: string
}): string {
  const { stamp, program, node } = wanted
  const withNode = node.startsWith('/') ? node : `$scratch/bundle/${node}`
  return [
    '#!/bin/sh',
    '# Whatever the batch system starts twice, a pilot begins once.',
    'mkdir begun || exit 0',
    'umask 077',
    'at=$PWD parent=$PPID',
    '[ -n "$TMPDIR" ] || TMPDIR=/tmp',
    `scratch=$(mktemp -d "$TMPDIR/kumi-${stamp}-XXXXXX") || { echo "no scratch on $(hostname)"; exit 1; }`,
    'mkdir "$scratch/bundle" && tar -xzf bundle.tgz -C "$scratch/bundle" || { rm -rf "$scratch"; echo "the bundle cannot be unpacked on $(hostname)"; exit 1; }',
    'sed "s|@scratch@|$scratch|; s|@job@|$at|" pilot.json >"$scratch/pilot.json"',
    'rm -f bundle.tgz pilot.json',
    'export HOME="$scratch" TZ=UTC',
    `"${withNode}" --max-old-space-size=192 "$scratch/bundle/${program}" --config "$scratch/pilot.json" 2>"$scratch/said" &`,
    'pilot=$!',
    '# A batch system may end the job and nothing below it: then the pilot is told.',
    'trap "kill -TERM $pilot" TERM INT HUP',
    '(while kill -0 "$pilot" 2>"$scratch/watch"; do kill -0 "$parent" 2>"$scratch/watch" || { kill -TERM "$pilot"; sleep 30; kill -KILL "$pilot"; }; sleep 1; done) &',
    'wait "$pilot"',
    'code=$?',
    '# A signal ends the first wait, not the pilot.',
    'while kill -0 "$pilot" 2>"$scratch/watch"; do wait "$pilot"; code=$?; done',
    '[ "$code" = 0 ] || { tail -c 300 "$scratch/said"; echo "The pilot ended with $code."; }',
    'rm -rf "$scratch"',
    'exit "$code"',
    '',
  ].join('\n')
}
