/** One mail on its way. */
export interface OutgoingMail {
  /** The same for every attempt, so that a second copy is recognised. */
  readonly messageId: string
  readonly recipient: string
  readonly subject: string
  readonly body: string
}

/** Hands a mail to the mail server. Throws `mail_refused` (invalid) when trying again is of no use. */
export type SendMail = (mail: OutgoingMail, signal: AbortSignal) => Promise<void>
