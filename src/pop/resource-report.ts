/** One storage area, as reported to the server and in the storage resource report. */
export interface AreaUsage {
  readonly path: string
  readonly totalBytes: number
  readonly usedBytes: number
  readonly files: number
}

/** The storage resource report of the field: what this endpoint offers and how full it is. */
export function resourceReport(facts: {
  name: string
  endpoint: string
  vo: string
  version: string
  areas: readonly AreaUsage[]
  now: Date
}): unknown {
  const { name, endpoint, vo, areas } = facts
  const latestupdate = Math.floor(facts.now.getTime() / 1000)
  const sum = (pick: (area: AreaUsage) => number): number =>
    areas.reduce((total, area) => total + pick(area), 0)
  return {
    storageservice: {
      name,
      id: endpoint,
      servicetype: 'kumihimo',
      implementation: 'kumihimo',
      implementationversion: facts.version,
      qualitylevel: 'testing',
      latestupdate,
      storagecapacity: { online: { totalsize: sum((a) => a.totalBytes), usedsize: sum((a) => a.usedBytes) } },
      storageendpoints: [
        {
          name: 'https',
          endpointurl: endpoint,
          interfacetype: 'https',
          capabilities: ['data.transfer', 'data.management'],
          qualitylevel: 'testing',
          assignedshares: ['all'],
        },
      ],
      storageshares: areas.map((area) => ({
        name: area.path.slice(1),
        timestamp: latestupdate,
        totalsize: area.totalBytes,
        usedsize: area.usedBytes,
        numberoffiles: area.files,
        path: [area.path],
        assignedendpoints: ['all'],
        vos: [vo],
      })),
      datastores: [],
    },
  }
}
