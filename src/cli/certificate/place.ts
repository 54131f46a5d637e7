import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { defineError } from '../../kernel/errors.ts'

const notWritten = defineError('fatal', 'proxy_not_written')

/** Where grid clients look for a proxy: X509_USER_PROXY, then a file in /tmp named after the user's number. */
export function proxyPlace(environment: NodeJS.ProcessEnv, uid = process.getuid?.() ?? 0): string {
  return environment.X509_USER_PROXY || `/tmp/x509up_u${uid}`
}

/** Writes a secret whole, readable by its owner only, and never through a link that somebody else laid. */
export function writeSecret(file: string, content: string): void {
  const fresh = `${file}.${process.pid}.new`
  try {
    rmSync(fresh, { force: true })
    writeFileSync(fresh, content, { mode: 0o600, flag: 'wx' })
    renameSync(fresh, file)
  } catch (cause) {
    rmSync(fresh, { force: true })
    throw notWritten(
      `${file} cannot be written: ${(cause as Error).message}.`,
      { hint: 'Name another file: --out FILE' },
      cause,
    )
  }
}
