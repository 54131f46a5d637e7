import { geoGraticule10, geoInterpolate, geoNaturalEarth1, geoPath } from 'd3-geo'
import { useMemo } from 'react'
import { feature } from 'topojson-client'
import land from 'world-atlas/land-110m.json'
import { rate } from '../common/format.ts'
import { shapeOf } from '../common/parts.tsx'
import type { Link, Site } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

/** Of more sites only those that are not well have their names on the map: they would cover each other. */
const NAMED = 20
const WIDTH = 960
const HEIGHT = 440
// biome-ignore lint/suspicious/noExplicitAny: the atlas comes as plain JSON, without the topology's types
const shape = feature(land as any, (land as any).objects.land)

/** Width by the logarithm of the rate: 1 px below 1 MB/s, 7 px at 10 GB/s. */
const widthOf = (bytesPerSecond: number) =>
  Math.min(Math.max(1.5 * Math.log10(bytesPerSecond / 1e5 + 1), 1.2), 7)

interface Spot {
  site: Site
  x: number
  y: number
}

/** Sites on the world map as shapes by state, live transfers as arcs between them. */
export function WorldMap({ sites, flows }: { sites: readonly Site[]; flows: readonly Link[] }) {
  const t = useMessages()
  const { background, path, project } = useMemo(() => {
    const projection = geoNaturalEarth1()
      .fitExtent(
        [
          [8, 4],
          [WIDTH - 8, HEIGHT + 46],
        ],
        { type: 'Sphere' },
      )
      .rotate([-150, 0])
    const draw = geoPath(projection)
    return { background: draw(shape) ?? '', path: draw, project: projection }
  }, [])
  const spots = useMemo(() => {
    const placed: (Spot & { label: number })[] = []
    for (const site of sites) {
      const [x, y] = project([site.longitude, site.latitude]) ?? [0, 0]
      // Labels of neighbours go to different sides.
      const near = placed.filter((other) => Math.abs(other.x - x) < 90 && Math.abs(other.y - y) < 20).length
      placed.push({ site, x, y, label: near % 2 })
    }
    return placed
  }, [sites, project])
  const arcs = useMemo(() => bundle(flows, new Map(sites.map((site) => [site.name, site]))), [flows, sites])
  return (
    <svg className="map" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={t.now.map}>
      <path d={path(geoGraticule10()) ?? ''} fill="none" stroke="var(--line)" strokeWidth=".5" />
      <path className="land" d={background} />
      {arcs.map(({ key, from, to, speed, failing }) => {
        const along = geoInterpolate([from.longitude, from.latitude], [to.longitude, to.latitude])
        const [ax, ay] = project([from.longitude, from.latitude]) ?? [0, 0]
        const [bx, by] = project([to.longitude, to.latitude]) ?? [0, 0]
        const [mx, my] = project(along(0.5)) ?? [0, 0]
        const span = Math.hypot(bx - ax, by - ay) || 1
        const bend = Math.max(span * 0.18, 22) * (ax <= bx ? -1 : 1)
        const nx = mx - ((by - ay) / span) * bend * (ax <= bx ? -1 : 1) * (ax <= bx ? 1 : -1)
        return (
          <path
            key={key}
            className={`arc ${failing ? 'failing' : 'run'}`}
            strokeWidth={widthOf(speed)}
            d={`M${ax} ${ay}Q${nx} ${my + bend} ${bx} ${by}`}
          >
            <title>{`${from.name} → ${to.name} ${failing ? t.now.failing : rate(speed)}`}</title>
          </path>
        )
      })}
      {spots.map(({ site, x, y, label }) => (
        <g key={site.name} transform={`translate(${x} ${y})`} className={site.state} fill="currentColor">
          <g className="spot" stroke="var(--sea)" strokeWidth="1.500" transform="scale(1.250)">
            {shapeOf(site.state)}
          </g>
          {(sites.length <= NAMED || site.state !== 'ok') && (
            <text
              x={label === 0 ? 11 : -11}
              y={label === 0 ? -5 : 14}
              textAnchor={label === 0 ? 'start' : 'end'}
            >
              {site.name}
            </text>
          )}
          <title>{`${site.title}: ${t.state[site.state]}`}</title>
        </g>
      ))}
    </svg>
  )
}

/** Flows between the storages of two sites drawn as one arc. */
function bundle(flows: readonly Link[], sites: ReadonlyMap<string, Site>) {
  const arcs = new Map<string, { key: string; from: Site; to: Site; speed: number; failing: boolean }>()
  for (const flow of flows) {
    if (flow.active === 0 && flow.failed <= flow.done) continue
    const from = sites.get(flow.sourceSite ?? '')
    const to = sites.get(flow.destinationSite ?? '')
    if (!from || !to || from === to) continue
    const key = `${from.name}>${to.name}`
    const arc = arcs.get(key) ?? { key, from, to, speed: 0, failing: false }
    arc.speed += flow.rateBytesPerSecond
    arc.failing ||= flow.failed > flow.done
    arcs.set(key, arc)
  }
  return [...arcs.values()]
}
