import { classLayouts } from './class-layouts.ts'
import type { RootBuffer } from './root-buffer.ts'

const elementClass: Readonly<Record<string, string>> = {
  base: 'TStreamerBase',
  basic: 'TStreamerBasicType',
  string: 'TStreamerString',
  array: 'TStreamerBasicPointer',
  object: 'TStreamerObject',
  any: 'TStreamerObjectAny',
  pointer: 'TStreamerObjectPointer',
}

interface ClassLayout {
  readonly name: string
  readonly version: number
  readonly checksum: number
  readonly members: readonly string[]
}

/** Writes the list of class layouts that every file carries, so that a reader needs no prior knowledge. */
export function writeLayouts(buffer: RootBuffer): void {
  const layouts = parseLayouts()
  buffer.versioned(5, () => {
    buffer.rootObject(0x02000000).text('').i32(layouts.length)
    for (const layout of layouts) {
      buffer.object('TStreamerInfo', () => writeLayout(buffer, layout))
      buffer.text('')
    }
  })
}

function parseLayouts(): ClassLayout[] {
  return classLayouts
    .trim()
    .split(/\n(?! )/)
    .map((block) => {
      const [head, ...members] = block.split('\n')
      const [name, version, checksum] = head!.split(' ')
      return { name: name!, version: Number(version), checksum: Number(checksum), members }
    })
}

function writeLayout(buffer: RootBuffer, layout: ClassLayout): void {
  buffer.versioned(9, () => {
    buffer.named(layout.name, '', 0x03010000).u32(layout.checksum).i32(layout.version)
    buffer.object('TObjArray', () =>
      buffer.objectArray(layout.members.length, () => {
        for (const member of layout.members) writeMember(buffer, member)
      }),
    )
  })
}

function writeMember(buffer: RootBuffer, line: string): void {
  const [kind, name, type, size, ...rest] = line.trim().split(' ')
  const baseChecksum = kind === 'base' ? Number(rest[1]) : 0
  const title = kind === 'array' ? `[${rest[1]}]` : ''
  const typeName = kind === 'base' ? 'BASE' : (kind === 'array' ? rest.slice(3) : rest).join(' ')
  buffer.object(elementClass[kind!]!, () =>
    buffer.versioned(kind === 'base' ? 3 : 2, () => {
      buffer.versioned(4, () => {
        buffer.named(name!, title).i32(Number(type)).i32(Number(size)).i32(0).i32(0)
        buffer.i32(0).u32(baseChecksum).i32(0).i32(0).i32(0).text(typeName)
      })
      if (kind === 'base') buffer.i32(Number(rest[0]))
      if (kind === 'array') buffer.i32(Number(rest[0])).text(rest[1]!).text(rest[2]!)
    }),
  )
}
