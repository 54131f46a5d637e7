/**
 * Growing big-endian buffer with the three conventions of ROOT's object streams: counted texts, records that begin
 * with their own length and version, and classes named once and then referred to by the place of that name.
 */
const BYTE_COUNT = 0x40000000
const NEW_CLASS = 0xffffffff
const CLASS_REFERENCE = 0x80000000
/** References count from two bytes before the record's key, so that zero can mean "no object". */
const REFERENCE_OFFSET = 2

export class RootBuffer {
  #bytes = Buffer.alloc(4096)
  #length = 0
  readonly #classes = new Map<string, number>()
  readonly #keyLength: number

  constructor(keyLength = 0) {
    this.#keyLength = keyLength
  }

  get length(): number {
    return this.#length
  }

  u8(value: number): this {
    const at = this.#take(1)
    this.#bytes.writeUInt8(value, at)
    return this
  }

  i16(value: number): this {
    const at = this.#take(2)
    this.#bytes.writeInt16BE(value, at)
    return this
  }

  i32(value: number): this {
    const at = this.#take(4)
    this.#bytes.writeInt32BE(value, at)
    return this
  }

  u32(value: number): this {
    const at = this.#take(4)
    this.#bytes.writeUInt32BE(value, at)
    return this
  }

  i64(value: number): this {
    const at = this.#take(8)
    this.#bytes.writeBigInt64BE(BigInt(value), at)
    return this
  }

  f32(value: number): this {
    const at = this.#take(4)
    this.#bytes.writeFloatBE(value, at)
    return this
  }

  f64(value: number): this {
    const at = this.#take(8)
    this.#bytes.writeDoubleBE(value, at)
    return this
  }

  raw(bytes: Uint8Array): this {
    const at = this.#take(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  text(value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    if (bytes.length < 255) this.u8(bytes.length)
    else this.u8(255).u32(bytes.length)
    return this.raw(bytes)
  }

  /** A record: byte count, version, then whatever `write` puts. */
  versioned(version: number, write: () => void): this {
    return this.#counted(() => {
      this.i16(version)
      write()
    })
  }

  /** An object behind a pointer: byte count, class (by name the first time), the object. Returns its reference. */
  object(className: string, write: () => void): number {
    const reference = this.#keyLength + this.#length + REFERENCE_OFFSET
    this.#counted(() => {
      const known = this.#classes.get(className)
      if (known === undefined) {
        this.#classes.set(className, this.#keyLength + this.#length + REFERENCE_OFFSET)
        this.u32(NEW_CLASS).raw(Buffer.from(`${className}\0`, 'latin1'))
      } else {
        this.u32((known | CLASS_REFERENCE) >>> 0)
      }
      write()
    })
    return reference
  }

  rootObject(bits = 0x03000000): this {
    return this.i16(1).u32(0).u32(bits)
  }

  named(name: string, title: string, bits?: number): this {
    return this.versioned(1, () => this.rootObject(bits).text(name).text(title))
  }

  objectArray(count: number, write: () => void): this {
    return this.versioned(3, () => {
      this.rootObject().text('').i32(count).i32(0)
      write()
    })
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #counted(write: () => void): this {
    const at = this.#take(4)
    write()
    this.#bytes.writeUInt32BE((BYTE_COUNT | (this.#length - at - 4)) >>> 0, at)
    return this
  }

  #take(size: number): number {
    const at = this.#length
    this.#length += size
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2))
      this.#bytes.copy(larger, 0, 0, at)
      this.#bytes = larger
    }
    return at
  }
}
