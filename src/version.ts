import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Version of the program, from its package.json (two levels above the compiled sources). */
export const version: string = (JSON.parse(readFileSync(packageFile(), 'utf8')) as { version: string })
  .version

function packageFile(): string {
  const fromSource = join(import.meta.dirname, '..', 'package.json')
  return import.meta.dirname.endsWith(join('dist', 'src'))
    ? join(import.meta.dirname, '..', '..', 'package.json')
    : fromSource
}
