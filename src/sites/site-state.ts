import type { Gateway, SiteState } from './types.ts'

/** A gateway reports every five seconds; this many seconds of silence mean that it is away. */
export const SILENCE_SECONDS = 15
const FULL = 0.95

/** How a site is, from the last words of its gateways and the clock. */
export function siteState(gateways: readonly Gateway[], now: Date): SiteState {
  const heard = gateways.filter((gateway) => gateway.lastSeenAt !== null)
  if (heard.length === 0) {
    return { state: 'unknown', reason: 'No gateway of this site has reported yet.', since: null }
  }
  const silent = heard.filter((gateway) => secondsSince(gateway, now) > SILENCE_SECONDS)
  if (silent.length === heard.length) {
    const last = silent.reduce((a, b) => (a.lastSeenAt! > b.lastSeenAt! ? a : b))
    const reason = `The gateway has been silent for ${Math.round(secondsSince(last, now))} s.`
    return { state: 'down', reason, since: last.lastSeenAt }
  }
  const complaints = [
    ...silent.map((gateway) => `Gateway ${gateway.name} is silent.`),
    ...heard.flatMap((gateway) => gateway.report?.problems ?? []),
    ...heard.flatMap(fullAreas),
  ]
  return complaints.length === 0
    ? { state: 'ok', reason: '', since: null }
    : { state: 'degraded', reason: complaints.join(' '), since: null }
}

function secondsSince(gateway: Gateway, now: Date): number {
  return (now.getTime() - gateway.lastSeenAt!.getTime()) / 1000
}

function fullAreas(gateway: Gateway): string[] {
  return (gateway.report?.areas ?? [])
    .filter(({ totalBytes, usedBytes }) => totalBytes > 0 && usedBytes / totalBytes > FULL)
    .map(
      ({ path, totalBytes, usedBytes }) => `${path} is ${Math.floor((100 * usedBytes) / totalBytes)} % full.`,
    )
}
