/**
 * Deflate as the zlib of every system does it at its default level, byte by byte. Node's own finds other matches. The
 * replicator of CVMFS unpacks certificates and descriptions and packs them again under the same name: only with these
 * bytes is the copy what its name says. RFC 1950 and 1951; the choices between equals are those of zlib.
 */
export const MOST_SYSTEM_BYTES = 16_000
const [LEAST_MATCH, MOST_MATCH] = [3, 258]
/** Level 6. */
const [GOOD, LAZY, NICE, CHAIN, TOO_FAR] = [8, 16, 128, 128, 4096]
const END = 256

const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCE_EXTRA = Array.from({ length: 30 }, (_, code) => Math.max(0, (code >> 1) - 1))
const REPEAT_EXTRA = [...Array<number>(16).fill(0), 2, 3, 7]
const REPEAT_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

const basesOf = (extra: readonly number[], first: number): number[] => {
  let next = first
  return extra.map((bits) => {
    const base = next
    next += 1 << bits
    return base
  })
}
const LENGTH_BASE = [...basesOf(LENGTH_EXTRA.slice(0, 28), 3), 258]
const DISTANCE_BASE = basesOf(DISTANCE_EXTRA, 1)
const codeIn = (bases: readonly number[], value: number): number =>
  bases.findLastIndex((base) => base <= value)

/** A literal, or a match: `distance` 0 says which. */
interface Symbol {
  readonly value: number
  readonly distance: number
}

/** What the text is made of: matches are taken a byte later when that gives a longer one. */
function symbolsOf(text: Uint8Array): Symbol[] {
  const size = text.length
  const window = new Uint8Array(size + MOST_MATCH + 4)
  window.set(text)
  const heads = new Map<number, number>()
  const before = new Int32Array(size)
  const insert = (at: number): number => {
    const key = ((window[at]! << 10) ^ (window[at + 1]! << 5) ^ window[at + 2]!) & 0x7fff
    const head = heads.get(key) ?? 0
    before[at] = head
    heads.set(key, at)
    return head
  }
  /** Length and place of the longest match that is longer than `best`. */
  function longest(at: number, from: number, best: number): { length: number; start: number } {
    const left = size - at
    const nice = Math.min(NICE, left)
    let [chain, length, start] = [best >= GOOD ? CHAIN >> 2 : CHAIN, best, -1]
    for (let here = from; here > 0 && chain > 0; here = before[here]!, chain--) {
      if (window[here + length] !== window[at + length]) continue
      let same = 0
      while (same < MOST_MATCH && window[here + same] === window[at + same]) same++
      if (same <= length) continue
      ;[length, start] = [same, here]
      if (same >= nice) break
    }
    return { length: Math.min(length, left), start }
  }
  const found: Symbol[] = []
  let [length, start, waiting] = [LEAST_MATCH - 1, 0, false]
  for (let at = 0; at < size; ) {
    const head = size - at >= LEAST_MATCH ? insert(at) : 0
    const [lastLength, lastStart] = [length, start]
    length = LEAST_MATCH - 1
    if (head > 0 && lastLength < LAZY) {
      const match = longest(at, head, lastLength)
      length = match.length
      if (match.start >= 0) start = match.start
      if (length <= 5 && length === LEAST_MATCH && at - start > TOO_FAR) length = LEAST_MATCH - 1
    }
    if (lastLength >= LEAST_MATCH && length <= lastLength) {
      found.push({ value: lastLength, distance: at - 1 - lastStart })
      const next = at - 1 + lastLength
      for (let inside = at + 1; inside < next; inside++) if (inside <= size - LEAST_MATCH) insert(inside)
      at = next
      ;[length, waiting] = [LEAST_MATCH - 1, false]
      continue
    }
    if (waiting) found.push({ value: window[at - 1]!, distance: 0 })
    waiting = true
    at++
  }
  if (waiting) found.push({ value: window[size - 1]!, distance: 0 })
  return found
}

/** The lengths of codes by their frequencies, none longer than `most`, and the highest code that has one. */
function lengthsOf(frequencies: readonly number[], most: number): { lengths: number[]; highest: number } {
  const size = frequencies.length
  const weight = [...frequencies, ...Array<number>(size + 2).fill(0)]
  const depth = weight.map(() => 0)
  const parent = weight.map(() => 0)
  const lengths = weight.map(() => 0)
  const heap = [0]
  let highest = -1
  for (let code = 0; code < size; code++)
    if (weight[code]! > 0) {
      heap.push(code)
      highest = code
    }
  // At least two codes, used or not.
  while (heap.length < 3) {
    const code = highest < 2 ? ++highest : 0
    heap.push(code)
    weight[code] = 1
  }
  const smaller = (a: number, b: number) =>
    weight[a]! < weight[b]! || (weight[a] === weight[b] && depth[a]! <= depth[b]!)
  function sink(place: number): void {
    const node = heap[place]!
    let here = place
    for (let below = here * 2; below < heap.length; below = here * 2) {
      if (below + 1 < heap.length && smaller(heap[below + 1]!, heap[below]!)) below++
      if (smaller(node, heap[below]!)) break
      heap[here] = heap[below]!
      here = below
    }
    heap[here] = node
  }
  for (let place = (heap.length - 1) >> 1; place >= 1; place--) sink(place)
  /** Nodes as they were joined, the least first. */
  const joined: number[] = []
  for (let node = size; ; node++) {
    const least = heap[1]!
    heap[1] = heap.pop()!
    sink(1)
    const next = heap[1]!
    joined.push(least, next)
    weight[node] = weight[least]! + weight[next]!
    depth[node] = Math.max(depth[least]!, depth[next]!) + 1
    parent[least] = node
    parent[next] = node
    heap[1] = node
    sink(1)
    if (heap.length === 2) break
  }
  const counts = Array<number>(most + 2).fill(0)
  let over = 0
  for (const node of joined.toReversed()) {
    const bits = lengths[parent[node]!]! + 1
    lengths[node] = Math.min(bits, most)
    if (bits > most) over++
    if (node < size) counts[lengths[node]!]!++
  }
  if (over === 0) return { lengths: lengths.slice(0, size), highest }
  for (; over > 0; over -= 2) {
    let bits = most - 1
    while (counts[bits] === 0) bits--
    counts[bits]!--
    counts[bits + 1]! += 2
    counts[most]!--
  }
  const leaves = joined.filter((node) => node < size)
  let next = 0
  for (let bits = most; bits > 0; bits--)
    for (let n = counts[bits]!; n > 0; n--) lengths[leaves[next++]!] = bits
  return { lengths: lengths.slice(0, size), highest }
}

/** Codes by their lengths, as they are written: the first bit lowest. */
function codesOf(lengths: readonly number[]): number[] {
  let code = 0
  const next = Array.from({ length: 16 }, (_, bits) => {
    code = bits === 0 ? 0 : (code + (bits === 1 ? 0 : lengths.filter((one) => one === bits - 1).length)) << 1
    return code
  })
  return lengths.map((bits) => {
    if (bits === 0) return 0
    const own = next[bits]!++
    return Number.parseInt(own.toString(2).padStart(bits, '0').split('').reverse().join(''), 2)
  })
}

/** Lengths as they are told: equal ones in a row together. */
function runsOf(lengths: readonly number[]): { code: number; extra: number }[] {
  const found: { code: number; extra: number }[] = []
  let [count, last] = [0, -1]
  let [most, least] = lengths[0] === 0 ? [138, 3] : [7, 4]
  for (const [i, bits] of lengths.entries()) {
    const next = lengths[i + 1]
    if (++count < most && bits === next) continue
    if (count < least) for (; count > 0; count--) found.push({ code: bits, extra: 0 })
    else if (bits !== 0) {
      if (bits !== last) {
        found.push({ code: bits, extra: 0 })
        count--
      }
      found.push({ code: 16, extra: count - 3 })
    } else if (count <= 10) found.push({ code: 17, extra: count - 3 })
    else found.push({ code: 18, extra: count - 11 })
    ;[count, last] = [0, bits]
    ;[most, least] = next === 0 ? [138, 3] : bits === next ? [6, 3] : [7, 4]
  }
  return found
}

function bitWriter() {
  const bytes: number[] = []
  let [held, count] = [0, 0]
  return {
    put(value: number, bits: number): void {
      held |= value << count
      count += bits
      for (; count >= 8; count -= 8) {
        bytes.push(held & 255)
        held >>>= 8
      }
    },
    end(): number[] {
      if (count > 0) bytes.push(held & 255)
      return bytes
    },
  }
}

const FIXED = Array.from({ length: 288 }, (_, code) => (code < 144 ? 8 : code < 256 ? 9 : code < 280 ? 7 : 8))
const FIXED_DISTANCES = Array<number>(30).fill(5)

/** At most 16,000 bytes as zlib stores them at its default level. Throws a RangeError for more. */
export function systemDeflate(text: Uint8Array): Buffer {
  if (text.length > MOST_SYSTEM_BYTES)
    throw new RangeError(`More than ${MOST_SYSTEM_BYTES} bytes are stored by Node.`)
  const symbols = symbolsOf(text)
  const literals = Array<number>(286).fill(0)
  const distances = Array<number>(30).fill(0)
  literals[END] = 1
  const codes = symbols.map(({ value, distance }) => {
    const length = distance > 0 ? codeIn(LENGTH_BASE, value) : -1
    const far = distance > 0 ? codeIn(DISTANCE_BASE, distance) : -1
    literals[distance > 0 ? length + END + 1 : value]!++
    if (distance > 0) distances[far]!++
    return { value, distance, length, far }
  })
  const tree = lengthsOf(literals, 15)
  const farTree = lengthsOf(distances, 15)
  const told = [
    ...runsOf(tree.lengths.slice(0, tree.highest + 1)),
    ...runsOf(farTree.lengths.slice(0, farTree.highest + 1)),
  ]
  const repeats = Array<number>(19).fill(0)
  for (const { code } of told) repeats[code]!++
  const repeatTree = lengthsOf(repeats, 7)
  const shown = Math.max(4, REPEAT_ORDER.findLastIndex((code) => repeatTree.lengths[code]! > 0) + 1)
  const bitsBy = (own: readonly number[], far: readonly number[]) =>
    codes.reduce(
      (sum, one) =>
        sum +
        (one.distance === 0
          ? own[one.value]!
          : own[one.length + END + 1]! +
            LENGTH_EXTRA[one.length]! +
            far[one.far]! +
            DISTANCE_EXTRA[one.far]!),
      own[END]!,
    )
  const head = told.reduce(
    (sum, { code }) => sum + repeatTree.lengths[code]! + REPEAT_EXTRA[code]!,
    14 + 3 * shown,
  )
  const dynamic = (head + bitsBy(tree.lengths, farTree.lengths) + 3 + 7) >> 3
  const fixed = (bitsBy(FIXED, FIXED_DISTANCES) + 3 + 7) >> 3
  const out = bitWriter()
  const write = (own: readonly number[], far: readonly number[]) => {
    const [ownCodes, farCodes] = [codesOf(own), codesOf(far)]
    for (const { value, distance, length, far: code } of codes) {
      if (distance === 0) {
        out.put(ownCodes[value]!, own[value]!)
        continue
      }
      out.put(ownCodes[length + END + 1]!, own[length + END + 1]!)
      out.put(value - LENGTH_BASE[length]!, LENGTH_EXTRA[length]!)
      out.put(farCodes[code]!, far[code]!)
      out.put(distance - DISTANCE_BASE[code]!, DISTANCE_EXTRA[code]!)
    }
    out.put(ownCodes[END]!, own[END]!)
  }
  let body: number[] | undefined
  if (text.length + 4 <= Math.min(dynamic, fixed)) {
    const [low, high] = [text.length & 255, text.length >> 8]
    body = [1, low, high, low ^ 255, high ^ 255, ...text]
  } else if (fixed <= dynamic) {
    out.put(3, 3)
    write(FIXED, FIXED_DISTANCES)
  } else {
    out.put(5, 3)
    out.put(tree.highest - 256, 5)
    out.put(farTree.highest, 5)
    out.put(shown - 4, 4)
    const repeatCodes = codesOf(repeatTree.lengths)
    for (const code of REPEAT_ORDER.slice(0, shown)) out.put(repeatTree.lengths[code]!, 3)
    for (const { code, extra } of told) {
      out.put(repeatCodes[code]!, repeatTree.lengths[code]!)
      out.put(extra, REPEAT_EXTRA[code]!)
    }
    write(tree.lengths, farTree.lengths)
  }
  let [a, b] = [1, 0]
  for (const byte of text) {
    a = (a + byte) % 65_521
    b = (b + a) % 65_521
  }
  return Buffer.from([0x78, 0x9c, ...(body ?? out.end()), b >> 8, b & 255, a >> 8, a & 255])
}
