import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { RootBuffer } from './root-buffer.ts'
import { writeLayouts } from './root-layouts.ts'

/** Values of one branch, entry after entry; with `width` n each entry holds n of them. */
export interface Branch {
  readonly name: string
  readonly values: Float32Array | Float64Array | Int32Array
  readonly width?: number
}

export interface TreeFile {
  /** Name of the tree; the file inside calls itself `<name>.root`. */
  readonly name: string
  readonly title?: string
  readonly branches: readonly Branch[]
  readonly entries: number
  /** Time stamp in the file, so that the same content gives the same bytes. */
  readonly at?: Date
  readonly compressionLevel?: number
}

const BEGIN = 100
const FORMAT_VERSION = 62400
const BASKET_BYTES = 256_000
const IO_FEATURES_CHECKSUM = 0x1aa12f10

interface Basket {
  readonly bytes: number
  readonly firstEntry: number
  readonly seek: number
}
interface WrittenBranch {
  readonly branch: Branch
  readonly leaf: LeafType
  readonly baskets: readonly Basket[]
  readonly totalBytes: number
  readonly zippedBytes: number
}
interface LeafType {
  readonly className: string
  readonly code: string
  readonly bytes: number
}

/** A complete ROOT file holding one tree of flat branches, compressed with zlib. */
export function writeRootTree(tree: TreeFile): Buffer {
  for (const branch of tree.branches) {
    const wanted = tree.entries * (branch.width ?? 1)
    if (branch.values.length !== wanted)
      throw new RangeError(`branch ${branch.name} needs ${wanted} values, not ${branch.values.length}`)
  }
  return new FileWriter(tree).write()
}

class FileWriter {
  readonly #tree: TreeFile
  readonly #time: number
  readonly #parts: Buffer[] = []
  readonly #fileName: string
  #position = BEGIN

  constructor(tree: TreeFile) {
    this.#tree = tree
    this.#fileName = `${tree.name}.root`
    this.#time = packedTime(tree.at ?? new Date(Date.UTC(2024, 0, 1)))
  }

  write(): Buffer {
    const rootKeyLength = keyLength('TFile', this.#fileName, '')
    const nameBytes = rootKeyLength + this.#fileName.length + 2
    const directory = { seek: this.#position, bytes: nameBytes + 30 + 18 + 12 }
    this.#position += directory.bytes

    const branches = this.#tree.branches.map((branch) => this.#writeBranch(branch))
    const title = this.#tree.title ?? ''
    const body = this.#treeBody(branches, keyLength('TTree', this.#tree.name, title))
    const treeKey = this.#record('TTree', this.#tree.name, title, body, true)
    const layouts = new RootBuffer(keyLength('TList', 'StreamerInfo', 'Doubly linked list'))
    writeLayouts(layouts)
    const info = this.#record('TList', 'StreamerInfo', 'Doubly linked list', layouts.done(), true)
    const listBody = Buffer.concat([new RootBuffer().i32(1).done(), treeKey.header])
    const list = this.#record('TFile', this.#fileName, '', listBody, false)
    const freeBytes = rootKeyLength + 10
    const end = this.#position + freeBytes
    const free = this.#record(
      'TFile',
      this.#fileName,
      '',
      new RootBuffer().i16(1).u32(end).u32(2_000_000_000).done(),
      false,
    )

    const content = Buffer.concat(this.#parts)
    const identifier = createHash('md5').update(content).digest()
    const first = new RootBuffer().text(this.#fileName).text('')
    first.i16(5).u32(this.#time).u32(this.#time).i32(list.bytes).i32(nameBytes)
    first.u32(directory.seek).u32(0).u32(list.seek).i16(1).raw(identifier).i32(0).i32(0).i32(0)
    const head = new RootBuffer().raw(Buffer.from('root')).i32(FORMAT_VERSION).i32(BEGIN).u32(end)
    head.u32(free.seek).i32(free.bytes).i32(1).i32(nameBytes).u8(4).i32(101).u32(info.seek).i32(info.bytes)
    head.i16(1).raw(identifier)
    return Buffer.concat([
      head.done(),
      Buffer.alloc(BEGIN - head.length),
      this.#keyHeader('TFile', this.#fileName, '', first.length, first.length, directory.seek, 0),
      first.done(),
      content,
    ])
  }

  #writeBranch(branch: Branch): WrittenBranch {
    const leaf = leafType(branch.values)
    const width = branch.width ?? 1
    const entryBytes = leaf.bytes * width
    const perBasket = Math.max(1, Math.floor(BASKET_BYTES / entryBytes))
    const baskets: Basket[] = []
    let totalBytes = 0
    let zippedBytes = 0
    for (let from = 0; from < this.#tree.entries; from += perBasket) {
      const to = Math.min(from + perBasket, this.#tree.entries)
      const data = bigEndian(branch.values.subarray(from * width, to * width))
      const plainKey = keyLength('TBasket', branch.name, this.#tree.name)
      const tail = new RootBuffer()
        .i16(3)
        .i32(BASKET_BYTES)
        .i32(entryBytes)
        .i32(to - from)
      tail.i32(plainKey + 19 + data.length).u8(0)
      const seek = this.#position
      const written = this.#record('TBasket', branch.name, this.#tree.name, data, true, tail.done())
      baskets.push({ bytes: written.bytes, firstEntry: from, seek })
      totalBytes += data.length + plainKey + 19
      zippedBytes += written.bytes
    }
    return { branch, leaf, baskets, totalBytes, zippedBytes }
  }

  #treeBody(branches: readonly WrittenBranch[], keyBytes: number): Buffer {
    const { name, title = '', entries } = this.#tree
    const total = branches.reduce((sum, branch) => sum + branch.totalBytes, 0)
    const zipped = branches.reduce((sum, branch) => sum + branch.zippedBytes, 0)
    const leaves: number[] = []
    const out = new RootBuffer(keyBytes)
    out.versioned(20, () => {
      out.named(name, title, 0x03000008)
      out.versioned(2, () => out.i16(602).i16(1).i16(1))
      fillAttributes(out)
      out.versioned(2, () => out.i16(1).i16(1).f32(1))
      out.i64(entries).i64(total).i64(zipped).i64(0).i64(0).f64(1).i32(0).i32(25).i32(0).i32(1000).i32(0)
      out.i64(1e12).i64(1e12).i64(0).i64(-300_000_000).i64(-30_000_000).i64(1_000_000).u8(0).u8(0)
      ioFeatures(out)
      out.objectArray(branches.length, () => {
        for (const branch of branches)
          out.object('TBranch', () => leaves.push(writeBranchObject(out, branch, entries)))
      })
      out.objectArray(leaves.length, () => {
        for (const leaf of leaves) out.u32(leaf)
      })
      for (let absent = 0; absent < 7; absent++) out.i32(0)
    })
    return out.done()
  }

  /** Appends one key with its content; `tail` belongs to the key and is not compressed. */
  #record(
    className: string,
    name: string,
    title: string,
    body: Buffer,
    mayCompress: boolean,
    tail: Buffer = Buffer.alloc(0),
  ): { seek: number; bytes: number; header: Buffer } {
    const seek = this.#position
    const stored = mayCompress ? compressed(body, this.#tree.compressionLevel ?? 1) : body
    const header = this.#keyHeader(
      className,
      name,
      title,
      body.length,
      stored.length,
      seek,
      BEGIN,
      tail.length,
    )
    this.#parts.push(header, tail, stored)
    const bytes = header.length + tail.length + stored.length
    this.#position += bytes
    return { seek, bytes, header }
  }

  #keyHeader(
    className: string,
    name: string,
    title: string,
    plainBytes: number,
    storedBytes: number,
    seek: number,
    parent: number,
    tailBytes = 0,
  ): Buffer {
    const length = keyLength(className, name, title) + tailBytes
    const key = new RootBuffer()
      .i32(length + storedBytes)
      .i16(4)
      .i32(plainBytes)
      .u32(this.#time)
    key.i16(length).i16(1).u32(seek).u32(parent).text(className).text(name).text(title)
    return key.done()
  }
}

function writeBranchObject(out: RootBuffer, written: WrittenBranch, entries: number): number {
  const { branch, leaf, baskets } = written
  const width = branch.width ?? 1
  const leafTitle = width === 1 ? branch.name : `${branch.name}[${width}]`
  // One slot more than is used: a reader takes the slot after the last basket as the end of the entries.
  const slots = Math.max(10, baskets.length + 1)
  let leafReference = 0
  out.versioned(13, () => {
    out.named(branch.name, `${leafTitle}/${leaf.code}`, 0x03400000)
    fillAttributes(out)
    out.i32(101).i32(BASKET_BYTES).i32(0).i32(baskets.length).i64(entries)
    ioFeatures(out)
    out.i32(0).i32(slots).i32(0).i64(entries).i64(0).i64(written.totalBytes).i64(written.zippedBytes)
    out.objectArray(0, () => undefined)
    out.objectArray(1, () => {
      leafReference = out.object(leaf.className, () => writeLeaf(out, branch, leaf, leafTitle, width))
    })
    out.objectArray(0, () => undefined)
    out.u8(1)
    for (let i = 0; i < slots; i++) out.i32(baskets[i]?.bytes ?? 0)
    out.u8(1)
    for (let i = 0; i < slots; i++) out.i64(baskets[i]?.firstEntry ?? (i === baskets.length ? entries : 0))
    out.u8(1)
    for (let i = 0; i < slots; i++) out.i64(baskets[i]?.seek ?? 0)
    out.text('')
  })
  return leafReference
}

function writeLeaf(out: RootBuffer, branch: Branch, leaf: LeafType, title: string, width: number): void {
  out.versioned(1, () => {
    out.versioned(2, () => out.named(branch.name, title).i32(width).i32(leaf.bytes).i32(0).u8(0).u8(0).u32(0))
    if (leaf.code === 'I') out.i32(0).i32(0)
    else if (leaf.code === 'F') out.f32(0).f32(0)
    else out.f64(0).f64(0)
  })
}

function fillAttributes(out: RootBuffer): void {
  out.versioned(2, () => out.i16(0).i16(1001))
}

function ioFeatures(out: RootBuffer): void {
  out.versioned(0, () => out.u32(IO_FEATURES_CHECKSUM).u8(0))
}

function leafType(values: Branch['values']): LeafType {
  if (values instanceof Int32Array) return { className: 'TLeafI', code: 'I', bytes: 4 }
  if (values instanceof Float32Array) return { className: 'TLeafF', code: 'F', bytes: 4 }
  return { className: 'TLeafD', code: 'D', bytes: 8 }
}

function bigEndian(values: Branch['values']): Buffer {
  const bytes = Buffer.from(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  return values.BYTES_PER_ELEMENT === 8 ? bytes.swap64() : bytes.swap32()
}

/** Largest piece one compression header can describe. */
const PIECE = 0xffffff

function compressed(body: Buffer, level: number): Buffer {
  if (level === 0 || body.length < 64) return body
  const parts: Buffer[] = []
  for (let from = 0; from < body.length; from += PIECE) {
    const plain = body.subarray(from, from + PIECE)
    const packed = deflateSync(plain, { level })
    const header = Buffer.from('ZL\x08\0\0\0\0\0\0', 'latin1')
    header.writeUIntLE(packed.length, 3, 3)
    header.writeUIntLE(plain.length, 6, 3)
    parts.push(header, packed)
  }
  const result = Buffer.concat(parts)
  return result.length < body.length ? result : body
}

function keyLength(className: string, name: string, title: string): number {
  return 26 + 3 + className.length + name.length + title.length
}

function packedTime(at: Date): number {
  const day = ((at.getUTCFullYear() - 1995) << 26) | ((at.getUTCMonth() + 1) << 22) | (at.getUTCDate() << 17)
  return (day | (at.getUTCHours() << 12) | (at.getUTCMinutes() << 6) | at.getUTCSeconds()) >>> 0
}
