import type { SiteFacts } from './home.ts'

/** The three sites a new grid starts with: two institutes in Japan, one in the United States. */
export function demoSites(port: number): SiteFacts[] {
  return [
    { name: 'kek', title: 'KEK, Tsukuba', country: 'JP', latitude: 36.15, longitude: 140.08, rse: 'KEK-DISK' },
    { name: 'osaka', title: 'Osaka', country: 'JP', latitude: 34.69, longitude: 135.5, rse: 'OSAKA-DISK' },
    { name: 'chicago', title: 'Chicago', country: 'US', latitude: 41.79, longitude: -87.6, rse: 'CHICAGO-DISK' },
  ].map((site, index) => ({ ...site, port: port + 1 + index }))
}
