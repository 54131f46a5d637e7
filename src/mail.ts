import { readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { createTransport } from 'nodemailer'
import type { SendMail } from './identity/index.ts'
import { defineError } from './kernel/errors.ts'

const mailRefused = defineError('invalid', 'mail_refused')
const mailServerAway = defineError('transient', 'mail_server_away')
const invalidMailServer = defineError('invalid', 'invalid_config')

export interface MailServerSettings {
  /** `smtp://host[:port]` or `smtps://host[:port]`. */
  readonly server: string
  readonly from: string
  /** File with one line `user:password`; empty: the server wants none. */
  readonly credentials: string
  /** PEM file of further authorities. */
  readonly authorities: string
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** How to send by SMTP (RFC 5321); beyond this machine only over TLS, which `smtp:` begins with STARTTLS. */
export function smtpSender({ server, from, credentials, authorities }: MailServerSettings): SendMail {
  const url = URL.parse(server)
  if (!url || !['smtp:', 'smtps:'].includes(url.protocol) || url.username || url.password || !url.hostname)
    throw invalidMailServer(
      'KUMI_MAIL_SERVER is smtp://host or smtps://host; user and password are in a file.',
    )
  if (!/^[^\s<>@]+@[^\s<>@]+$/.test(from))
    throw invalidMailServer('KUMI_MAIL_FROM needs the address that mails come from.')
  const secure = url.protocol === 'smtps:'
  const ca = authorities ? [...rootCertificates, readFileSync(authorities, 'utf8')] : undefined
  return async ({ messageId, recipient, subject, body }, signal) => {
    // A transport for each: mails are rare, and a new password counts at once.
    const [user, pass] = credentials ? credentialsIn(credentials) : []
    const transport = createTransport({
      ...{
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: Number(url.port) || (secure ? 465 : 587),
        secure,
      },
      requireTLS: !secure && !LOOPBACK.has(url.hostname),
      ...(user !== undefined && { auth: { user, pass: pass ?? '' } }),
      ...(ca && { tls: { ca } }),
      ...{ connectionTimeout: 15_000, greetingTimeout: 15_000, socketTimeout: 60_000 },
      ...{ disableFileAccess: true, disableUrlAccess: true },
    })
    const stop = (): void => transport.close()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await transport.sendMail({ from, to: { name: '', address: recipient }, messageId, subject, text: body })
    } catch (error) {
      throw failure(url.host, error)
    } finally {
      signal.removeEventListener('abort', stop)
      transport.close()
    }
  }
}

function credentialsIn(file: string): [string, string] {
  const [line = ''] = readFileSync(file, 'utf8').split('\n')
  const at = line.indexOf(':')
  if (at < 1) throw mailServerAway('The file of KUMI_MAIL_CREDENTIALS needs one line, user:password.')
  return [line.slice(0, at), line.slice(at + 1).trimEnd()]
}

/** Only what the server says of this mail is final; a login it refuses is somebody's to mend. */
function failure(host: string, error: unknown): Error {
  const { responseCode, code, message } = error as { responseCode?: number; code?: string; message: string }
  const ofTheMail = code === 'EENVELOPE' || code === 'EMESSAGE'
  if (ofTheMail && (responseCode === undefined || responseCode >= 500))
    return mailRefused(`${host} does not take the mail: ${message}`, {}, error)
  return mailServerAway(`${host} took no mail: ${message}`, {}, error)
}
