import type { BatchPilot } from './batch-system.ts'

/** What ARC's states of a job mean for a pilot. */
const STATES: Readonly<Record<string, BatchPilot['state']>> = {
  ...of('Waiting', 'ACCEPTING ACCEPTED PREPARING PREPARED SUBMITTING QUEUING'),
  ...of('Running', 'RUNNING HELD EXITINGLRMS OTHER EXECUTED FINISHING'),
  ...of('Done', 'FINISHED'),
  ...of('Failed', 'FAILED KILLING KILLED WIPED NONE'),
}

export const stateOf = (state: string | undefined): BatchPilot['state'] =>
  STATES[(state ?? 'NONE').toUpperCase()] ?? 'Running'

/** It was told to end, and may still run. */
export const isEnding = (state: string | undefined): boolean => state?.toUpperCase() === 'KILLING'

/** What only the batch system behind ARC can say. */
export const isWithin = (state: string): boolean =>
  ['QUEUING', 'HELD', 'EXITINGLRMS', 'OTHER'].includes(state.toUpperCase())

function of(state: BatchPilot['state'], names: string): Record<string, BatchPilot['state']> {
  return Object.fromEntries(names.split(' ').map((name) => [name, state]))
}
