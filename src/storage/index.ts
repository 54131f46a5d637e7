/** Bytes: drivers, checksums, errors of storages. */
export {
  adler32Combine,
  announcedDigests,
  checkDigests,
  type Digests,
  digester,
  digestHeader,
  wantedDigests,
} from './digests.ts'
export { fetchDocument } from './documents.ts'
export type {
  ByteRange,
  Entry,
  StorageDriver,
  StoragePath,
  WriteOptions,
  Written,
} from './driver.ts'
export * from './errors.ts'
export {
  type AllowedHosts,
  checkedUrl,
  guardedOutbound,
  type Outbound,
  type OutboundRequest,
} from './outbound.ts'
export { type PosixDriver, posixDriver } from './posix.ts'
export { createRootCounter, type FarRootFile, notCounted, type RootCounter } from './root/count.ts'
export {
  type CopyOrder,
  type GetOptions,
  type PutAnswer,
  type PutOptions,
  type RemoteFile,
  type WebdavClient,
  type WebdavClientOptions,
  webdavClient,
} from './webdav.ts'
