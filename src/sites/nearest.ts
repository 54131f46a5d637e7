/** Where a host is: that of its site. */
export interface Place {
  /** `gw.kek.jp` or `gw.kek.jp:8443`. */
  readonly host: string
  readonly latitude: number
  readonly longitude: number
}

/**
 * Numbers of the hosts, from 1, the nearest to `client` first; those of which nothing is known come last, in the order in
 * which they were. Undefined when it is not known where the client is, or where any of the hosts is. Pure.
 */
export function nearestFirst(
  client: string,
  hosts: readonly string[],
  places: readonly Place[],
): number[] | undefined {
  const find = (host: string) =>
    places.find((place) => place.host === host) ?? places.find((place) => nameOf(place.host) === nameOf(host))
  const from = find(client)
  const away = hosts.map((host, i) => {
    const place = find(host)
    return { number: i + 1, angle: from && place ? angleBetween(from, place) : Number.POSITIVE_INFINITY }
  })
  if (away.every(({ angle }) => angle === Number.POSITIVE_INFINITY)) return undefined
  // Equal ones stay in their order.
  return away.sort((a, b) => (a.angle < b.angle ? -1 : a.angle > b.angle ? 1 : 0)).map(({ number }) => number)
}

const nameOf = (host: string): string => host.replace(/:\d+$/, '').toLowerCase()

/** Angle between two places as seen from the middle of the earth, in radians. */
function angleBetween(a: Place, b: Place): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180
  const [x, y] = [radians(a.latitude), radians(b.latitude)]
  const half = (angle: number) => Math.sin(angle / 2) ** 2
  const chord = half(y - x) + Math.cos(x) * Math.cos(y) * half(radians(b.longitude - a.longitude))
  return 2 * Math.asin(Math.min(1, Math.sqrt(chord)))
}
