import type { GridError } from '../../kernel/errors.ts'
import { xmlText } from './flat-xml.ts'

/** How a client wants to be told; each understands its own form only. */
export type Dialect = 'java' | 'cpp' | 'legacy'

export interface Attributes {
  readonly der: Buffer
  readonly warnings: readonly string[]
}

/** The number of C++ clients, the word of Java clients and the status of HTTP for each reason. */
interface Fault {
  readonly number: number
  readonly code: 'NoSuchUser' | 'SuspendedUser' | 'BadRequest' | 'InternalError'
  readonly status: number
}

const NO_SUCH_USER: Fault = { number: 1001, code: 'NoSuchUser', status: 403 }
const SUSPENDED: Fault = { number: 1004, code: 'SuspendedUser', status: 403 }
const NO_SUCH_ATTRIBUTE: Fault = { number: 1007, code: 'BadRequest', status: 403 }
const BAD_REQUEST: Fault = { number: 1006, code: 'BadRequest', status: 400 }
const INTERNAL: Fault = { number: 1006, code: 'InternalError', status: 500 }
const FAULTS: Readonly<Record<string, Fault>> = {
  voms_no_such_user: NO_SUCH_USER,
  certificate_refused: NO_SUCH_USER,
  account_suspended: SUSPENDED,
  certificate_suspended: SUSPENDED,
  membership_expired: SUSPENDED,
  policy_unsigned: SUSPENDED,
  policy_expired: SUSPENDED,
  registration_pending: SUSPENDED,
  voms_attribute_denied: NO_SUCH_ATTRIBUTE,
}

/** The whole answer, as it goes to the socket. */
export function attributesAnswer(dialect: Dialect, { der, warnings }: Attributes): string {
  // In lines: what comes in one is read by the C++ clients with an alphabet of VOMS's own.
  const ac = der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')
  if (dialect === 'legacy') {
    const items = warnings.map((warning) => item(2, warning)).join('')
    return vomsans(`${items && `<error>${items}</error>`}<ac>${ac}\n</ac>`)
  }
  const warned = warnings.map((warning) => `<warning>${xmlText(warning)}</warning>`).join('')
  return http(200, `${XML}<voms><ac>${ac}\n</ac>${warned}</voms>\n`)
}

export function errorAnswer(dialect: Dialect, error: GridError): string {
  const fault = FAULTS[error.code] ?? (error.kind === 'invalid' ? BAD_REQUEST : INTERNAL)
  const message = fault === INTERNAL ? 'Internal error; the log of the server has more.' : error.message
  if (error.kind === 'missing' && dialect !== 'legacy') return http(404, `${error.message}\n`, 'text/plain')
  if (dialect === 'java') {
    const inside = `<code>${fault.code}</code><message>${xmlText(message)}</message>`
    return http(fault.status, `${XML}<voms><error>${inside}</error></voms>\n`)
  }
  // The C++ client shows the message only if the status is 200 and something stands where the attributes would be.
  const document = vomsans(`<error>${item(fault.number, message)}</error><ac>QQ==\n</ac>`)
  return dialect === 'legacy' ? document : http(200, document)
}

const XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
/** With a line end: these clients put what they are told, twice when they have asked by both protocols, in a row. */
const item = (number: number, message: string): string =>
  `<item><number>${number}</number><message>${xmlText(message)}&#10;</message></item>`
const vomsans = (inside: string): string =>
  `<?xml version="1.0" encoding="US-ASCII"?><vomsans><version>3</version>${inside}</vomsans>`

const STATUS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
}

function http(status: number, body: string, type = 'text/xml'): string {
  return [
    `HTTP/1.1 ${status} ${STATUS[status]}`,
    `Content-Type: ${type}; charset=utf-8`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    'Cache-Control: no-store',
    '',
    body,
  ].join('\r\n')
}
