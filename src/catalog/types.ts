/** A name in the catalogue: unique for ever within its VO. */
export interface Did {
  readonly scope: string
  readonly name: string
}

export type DidKind = 'FILE' | 'DATASET' | 'CONTAINER'
export type CollectionKind = Exclude<DidKind, 'FILE'>
export type Availability = 'AVAILABLE' | 'LOST' | 'DELETED'

/** A name that was looked up. Ids of files and collections come from one sequence and never collide. */
export interface KnownDid extends Did {
  readonly id: bigint
  readonly kind: DidKind
}

export interface FileDid extends KnownDid {
  readonly kind: 'FILE'
  readonly accountId: number
  readonly bytes: bigint
  /** 8 lower-case hex digits. */
  readonly adler32: string | null
  /** 32 lower-case hex digits. */
  readonly md5: string | null
  readonly guid: string | null
  readonly availability: Availability
  readonly createdAt: Date
}

export interface CollectionDid extends KnownDid {
  readonly kind: CollectionKind
  readonly accountId: number
  readonly open: boolean
  readonly monotonic: boolean
  /** Exact at the moment of reading; for a container the sum over its distinct datasets. */
  readonly files: bigint
  readonly bytes: bigint
  readonly expiresAt: Date | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly closedAt: Date | null
}

export type AnyDid = FileDid | CollectionDid

export type MetadataValue =
  | string
  | number
  | boolean
  | null
  | MetadataValue[]
  | { [key: string]: MetadataValue }
export type Metadata = Readonly<Record<string, MetadataValue>>

/** What is known of a file's content, in the words of whoever registers it. */
export interface NewFile extends Did {
  readonly bytes: bigint
  readonly adler32?: string | null
  readonly md5?: string | null
  readonly guid?: string | null
  readonly meta?: Metadata
}

export interface NewCollection extends Did {
  readonly kind: CollectionKind
  readonly monotonic?: boolean
  readonly meta?: Metadata
  readonly expiresAt?: Date | null
}

export type ReplicaState =
  | 'AVAILABLE'
  | 'UNAVAILABLE'
  | 'COPYING'
  | 'BEING_DELETED'
  | 'BAD'
  | 'SUSPICIOUS'
  | 'TEMPORARY_UNAVAILABLE'

/** One copy: a file at an RSE. */
export interface ReplicaKey {
  readonly fileId: bigint
  readonly rseId: number
}

export interface Replica {
  readonly fileId: bigint
  readonly rseId: number
  readonly state: ReplicaState
  /** null: protected; otherwise deletable from then on. */
  readonly tombstone: Date | null
  readonly verifiedAt: Date | null
  /** Only where the path cannot be computed from the name. */
  readonly path: string | null
}

/** A file with its copies, as lists of replicas give it. */
export interface FileReplicas extends Did {
  readonly fileId: bigint
  readonly bytes: bigint
  readonly adler32: string | null
  readonly md5: string | null
  readonly replicas: readonly Omit<Replica, 'fileId'>[]
}

export interface NewReplica extends NewFile {
  /** Default AVAILABLE. */
  readonly state?: 'AVAILABLE' | 'COPYING' | 'UNAVAILABLE'
  /** Explicit path; required at an RSE that is not deterministic, not allowed to differ at one that is. */
  readonly path?: string | null
  /** Default null (protected): whoever registers a copy sees to its protection. */
  readonly tombstone?: Date | null
}

/** How complete a dataset is at an RSE. */
export interface DatasetReplica {
  readonly collectionId: bigint
  readonly rseId: number
  readonly files: bigint
  readonly bytes: bigint
  readonly availableFiles: bigint
  readonly availableBytes: bigint
}

/** A copy somebody declared bad or suspicious, or a file with no good copy left (LOST). */
export interface BadReplica extends Did {
  readonly id: bigint
  readonly fileId: bigint
  readonly rseId: number
  readonly state: 'BAD' | 'SUSPICIOUS' | 'RECOVERED' | 'LOST'
  readonly reason: string
  readonly accountId: number | null
  readonly at: Date
  readonly resolvedAt: Date | null
}

export interface Scope {
  readonly id: number
  readonly vo: string
  readonly name: string
  readonly accountId: number
  readonly status: 'OPEN' | 'CLOSED' | 'DELETED'
  readonly createdAt: Date
}

export type AttributeValue = string | number | boolean

/** Priority of a protocol per operation: 1 is best, null is "not for this". */
export interface ProtocolDomains {
  readonly lan: {
    readonly read: number | null
    readonly write: number | null
    readonly delete: number | null
  }
  readonly wan: {
    readonly read: number | null
    readonly write: number | null
    readonly delete: number | null
    readonly thirdPartyRead: number | null
    readonly thirdPartyWrite: number | null
  }
}

export interface RseProtocol {
  readonly scheme: string
  readonly hostname: string
  readonly port: number
  /** Begins and ends with `/`. */
  readonly prefix: string
  /** Name of the plug-in foreign clients load for it. */
  readonly impl: string
  readonly domains: ProtocolDomains
  readonly extendedAttributes: Metadata | null
}

export interface RseProperties {
  readonly kind: 'DISK' | 'TAPE'
  readonly deterministic: boolean
  readonly volatile: boolean
  readonly stagingArea: boolean
  readonly canRead: boolean
  readonly canWrite: boolean
  readonly canDelete: boolean
  readonly city: string | null
  readonly regionCode: string | null
  readonly countryName: string | null
  readonly continent: string | null
  readonly timeZone: string | null
  readonly isp: string | null
  readonly asn: string | null
  readonly latitude: number | null
  readonly longitude: number | null
  readonly qosClass: string | null
}

/** A storage element with all that decisions need, as one in-memory row. */
export interface Rse extends RseProperties {
  readonly id: number
  readonly uuid: string
  readonly vo: string
  readonly name: string
  /** Includes the RSE's own name = true. `site` is its failure domain. */
  readonly attributes: Readonly<Record<string, AttributeValue>>
  readonly protocols: readonly RseProtocol[]
  readonly limits: Readonly<Record<string, bigint>>
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface RseUsage {
  readonly rseId: number
  /** `rucio`: what the catalogue holds (exact); any other: as somebody measured it. */
  readonly source: string
  readonly used: bigint
  readonly free: bigint | null
  readonly files: bigint | null
  readonly updatedAt: Date
}

export interface RseDistance {
  readonly srcId: number
  readonly dstId: number
  readonly distance: number
}

export type FilterOperator = '=' | '!=' | '<' | '>' | '<=' | '>=' | 'in' | 'contains'
export interface FilterTerm {
  /** A metadata key or a virtual column: name, bytes, length, adler32, md5, guid, created_at, account … */
  readonly key: string
  readonly operator: FilterOperator
  /** `*` in a string of `=` / `!=` stands for any text. */
  readonly value: MetadataValue
}
/** OR of ANDs; the empty list matches everything. */
export type DidFilter = readonly (readonly FilterTerm[])[]

export interface FoundDid extends KnownDid {
  /** Files: own size; collections: as counted. */
  readonly bytes: bigint
  readonly length: bigint
}

export interface Search {
  readonly vo: string
  readonly scope: string
  readonly filter: DidFilter
  readonly type?: 'all' | 'collection' | 'dataset' | 'container' | 'file'
  /** Also all that lies below the collections found, in whatever scope. */
  readonly recursive?: boolean
  readonly limit?: number
  /** For each page; default 30 s. */
  readonly timeoutMs?: number
}
