import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const cache = fileURLToPath(new URL('../../var/typescript', import.meta.url))

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context)
  const filename = fileURLToPath(url)
  const source = await readFile(filename, 'utf8')
  // Tests start many programs from the same sources.
  const kept = join(cache, `${createHash('sha256').update(filename).update(source).digest('hex')}.mjs`)
  const code = await readFile(kept, 'utf8').catch(() => transformed(filename, source, kept))
  return { format: 'module', source: code, shortCircuit: true }
}

async function transformed(filename, source, kept) {
  const { transform } = await import('@swc/core')
  const { code } = await transform(source, {
    filename,
    sourceMaps: 'inline',
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
  })
  await mkdir(cache, { recursive: true })
  // Several threads of a process may be at the same file.
  const own = `${kept}.${randomUUID()}`
  await writeFile(own, code)
  await rename(own, kept)
  return code
}
