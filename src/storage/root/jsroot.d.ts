// The few functions of jsroot that are used here, with the types its package leaves out.
declare module 'jsroot/io' {
  export interface RootKey {
    readonly fName: string
    readonly fClassName: string
    readonly fCycle: number
  }
  export interface RootObject {
    readonly fEntries?: number | bigint
    [member: string]: unknown
  }
  export interface RootFile {
    readonly fKeys: readonly RootKey[]
    readObject(name: string): Promise<RootObject>
  }
  /** Where the bytes come from, in place of a file of this machine. */
  export class FileProxy {
    openFile(): Promise<boolean>
    getFileName(): string
    getFileSize(): number
    readBuffer(position: number, size: number): Promise<DataView | null>
  }
  export function openFile(source: string | ArrayBufferLike): Promise<RootFile>
  /** Null where the proxy cannot open it. */
  export function openFile(source: FileProxy): Promise<RootFile | null>
}
declare module 'jsroot/tree' {
  import type { RootObject } from 'jsroot/io'
  export class TSelector {
    tgtobj: Record<string, unknown>
    addBranch(name: string): void
    Process: (this: TSelector, entry: number) => void
  }
  export function treeProcess(tree: RootObject, selector: TSelector): Promise<TSelector>
}
declare module 'jsroot/rntuple' {
  import type { RootObject } from 'jsroot/io'
  export function readHeaderFooter(tuple: RootObject): Promise<unknown>
}
