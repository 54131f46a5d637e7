import type { Metadata, ProtocolDomains, Rse, RseProtocol } from '../../catalog/index.ts'
import { badRequest } from './errors.ts'
import { rucioDate, wireId } from './wire.ts'

const availability = (rse: Rse): number =>
  (rse.canRead ? 4 : 0) + (rse.canWrite ? 2 : 0) + (rse.canDelete ? 1 : 0)

/** An RSE as lists show it. */
export function properties(rse: Rse): Record<string, unknown> {
  return {
    id: wireId(rse.uuid),
    rse: rse.name,
    rse_type: rse.kind,
    deterministic: rse.deterministic,
    volatile: rse.volatile,
    staging_area: rse.stagingArea,
    city: rse.city,
    region_code: rse.regionCode,
    country_name: rse.countryName,
    continent: rse.continent,
    time_zone: rse.timeZone,
    ISP: rse.isp,
    ASN: rse.asn,
    latitude: rse.latitude,
    longitude: rse.longitude,
    availability: availability(rse),
    availability_read: rse.canRead,
    availability_write: rse.canWrite,
    availability_delete: rse.canDelete,
    qos_class: rse.qosClass,
    vo: rse.vo,
    created_at: rucioDate(rse.createdAt),
    updated_at: rucioDate(rse.updatedAt),
    deleted: false,
    deleted_at: null,
  }
}

/** An RSE as upload and download want it: with protocols, and everything that steers them. */
export function settings(rse: Rse): Record<string, unknown> {
  const { attributes } = rse
  return {
    ...properties(rse),
    verify_checksum: attributes.verify_checksum !== false,
    sign_url: attributes.sign_url ?? null,
    lfn2pfn_algorithm: attributes.lfn2pfn_algorithm ?? 'hash',
    domain: ['lan', 'wan'],
    credentials: null,
    protocols: rse.protocols.map(protocolView),
  }
}

export function protocolView(protocol: RseProtocol): Record<string, unknown> {
  const { lan, wan } = protocol.domains
  return {
    scheme: protocol.scheme,
    hostname: protocol.hostname,
    port: protocol.port,
    prefix: protocol.prefix,
    impl: protocol.impl,
    domains: {
      lan: { read: lan.read ?? 0, write: lan.write ?? 0, delete: lan.delete ?? 0 },
      wan: {
        read: wan.read ?? 0,
        write: wan.write ?? 0,
        delete: wan.delete ?? 0,
        third_party_copy_read: wan.thirdPartyRead ?? 0,
        third_party_copy_write: wan.thirdPartyWrite ?? 0,
      },
    },
    extended_attributes: protocol.extendedAttributes,
  }
}

export function protocolOf(scheme: string, body: Record<string, unknown>): RseProtocol {
  const { hostname, port, prefix, impl, domains, extended_attributes: extended } = body
  if (typeof hostname !== 'string' || hostname === '') throw badRequest('A protocol needs a hostname.')
  const number = Number(port ?? 0)
  if (!Number.isInteger(number) || number < 0 || number > 65535)
    throw badRequest('The port is not a port number.')
  const path = typeof prefix === 'string' && prefix !== '' ? prefix : '/'
  return {
    scheme,
    hostname,
    port: number,
    prefix: `${path.startsWith('/') ? '' : '/'}${path}${path.endsWith('/') ? '' : '/'}`,
    impl: typeof impl === 'string' ? impl : 'rucio.rse.protocols.webdav.Default',
    domains: domainsOf(domains),
    extendedAttributes: extendedOf(extended),
  }
}

function domainsOf(value: unknown): ProtocolDomains {
  const given = (value ?? {}) as Record<string, Record<string, unknown> | undefined>
  const priority = (domain: 'lan' | 'wan', operation: string): number | null => {
    const number = Number(given[domain]?.[operation] ?? 0)
    if (!Number.isInteger(number) || number < 0)
      throw badRequest('Protocol priorities are whole numbers from 0.')
    return number === 0 ? null : number
  }
  const plain = (domain: 'lan' | 'wan') => ({
    read: priority(domain, 'read'),
    write: priority(domain, 'write'),
    delete: priority(domain, 'delete'),
  })
  return {
    lan: plain('lan'),
    wan: {
      ...plain('wan'),
      thirdPartyRead: priority('wan', 'third_party_copy_read'),
      thirdPartyWrite: priority('wan', 'third_party_copy_write'),
    },
  }
}

function extendedOf(value: unknown): Metadata | null {
  if (value === null || value === undefined || value === '' || value === 'None') return null
  const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value
  return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? (parsed as Metadata) : null
}
