import { type Logger, pino } from 'pino'

export type { Logger }

const SECRET_KEYS =
  /^(authorization|cookie|set-cookie|password|secret|token|access_token|refresh_token|client_secret|login_code|private_?key|x-rucio-(auth-token|password)|transferheaderauthorization)$/i
const SECRET_TEXT =
  /(eyJ[\w-]{5,}\.[\w-]+\.[\w-]+)|(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----)|((?:access_token|refresh_token|client_secret|authz|password|\bcode)=[^&\s"]+)/g

/** Text with tokens, private keys and credential parameters blanked. */
export function redactText(text: string): string {
  return text.replace(SECRET_TEXT, '[secret]')
}

/** A copy of `value` fit for a log: secret keys blanked at any depth, secret-looking text removed. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object' || value instanceof Date) return value
  if (depth > 6) return '[deep]'
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  if (value instanceof Error) {
    const extra = Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'cause'))
    return {
      type: value.name,
      message: redactText(value.message),
      stack: redactText(value.stack ?? ''),
      ...(redact(extra, depth + 1) as object),
      ...(value.cause !== undefined && { cause: redact(value.cause, depth + 1) }),
    }
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SECRET_KEYS.test(key) ? '[secret]' : redact(item, depth + 1),
    ]),
  )
}

export interface LogOptions {
  readonly level?: string
  /** File to append to; standard error when absent. */
  readonly file?: string
  readonly name: string
}

/** One JSON line per fact; constant messages, values in fields; secrets never. */
export function createLogger(options: LogOptions): Logger {
  return pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      base: { name: options.name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redact(fields) as Record<string, unknown>,
      },
    },
    pino.destination({ dest: options.file ?? 2, sync: true, mkdir: true }),
  )
}

export const silentLogger: Logger = pino({ level: 'silent' })
