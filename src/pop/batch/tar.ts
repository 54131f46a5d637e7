/** A file of an archive: its path inside, its permissions, its content. */
export interface ArchivedFile {
  readonly name: string
  readonly mode: number
  readonly content: Buffer
}

const BLOCK = 512

/** The parts of a tar archive in order, the end included; POSIX.1-1988 ("ustar"), paths of at most 255 bytes. */
export function* tarBlocks(files: Iterable<ArchivedFile>): Generator<Buffer> {
  for (const { name, mode, content } of files) {
    yield header(name, mode, content.length)
    yield content
    yield Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  }
  yield Buffer.alloc(2 * BLOCK)
}

export const tarOf = (files: Iterable<ArchivedFile>): Buffer => Buffer.concat([...tarBlocks(files)])

function header(path: string, mode: number, size: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const [prefix, name] = split(path)
  const octal = (value: number, at: number, width: number) =>
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1')
  block.write(name, 0)
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size, 124, 12)
  octal(0, 136, 12)
  block.write(' '.repeat(8), 148, 'latin1')
  block.write('0ustar\x0000', 156, 'latin1')
  block.write(prefix, 345)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** The format has 155 bytes for the directory and 100 for the rest. */
function split(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ['', path]
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)]
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100) return [prefix, name]
  }
  throw new Error(`"${path}" is too long for an archive.`)
}
