/** Moving files between storages: wishes, workers, links. */
export { classify, type FailureClass, type Party, type TransferError } from './classify.ts'
export * as transferErrors from './errors.ts'
export type { Settle, TransferOutcome } from './finish.ts'
export { createGatewayMover, type GatewayMoverOptions } from './gateway-mover.ts'
export { type CopyOrder, type FileFacts, type Mover, type Place, sameFile } from './mover.ts'
export { explainTransfer, listTransfers, type TransferExplanation, transferMatrix } from './read.ts'
export {
  cancelTransfers,
  requestTransfers,
  type TransferKey,
  type TransferWish,
} from './request.ts'
export { storagesInUse } from './storages-in-use.ts'
export {
  createTransferWorkers,
  type TransferWorkerOptions,
  type TransferWorkers,
} from './transfer-worker.ts'
export { type ArrivedFile, verifyArrivals } from './verify-arrivals.ts'
