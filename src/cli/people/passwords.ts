import { defineError } from '../../kernel/errors.ts'
import { withClient } from '../client/http.ts'
import { type SharedOptions, show } from '../common-options.ts'
import { askPassword, readLines } from '../session/password.ts'

const passwordsDiffer = defineError('invalid', 'passwords_differ')

/** Changes one's own; without a terminal the first line is the present password, the second the new one. */
export async function password(options: SharedOptions): Promise<void> {
  const [currentPassword, updatedPassword] = process.stdin.isTTY ? await asked() : await readLines(2)
  await withClient(options, async (client) => {
    const url = `/iam/${client.place.vo}/iam/password-update`
    await client.json('POST', url, { json: { currentPassword, updatedPassword } })
    show(options, { changed: true }, () => 'The password is changed. All browsers are logged out.')
  })
}

async function asked(): Promise<string[]> {
  const present = await askPassword('Present password: ')
  const next = await askPassword('New password: ')
  if ((await askPassword('New password again: ')) !== next) {
    throw passwordsDiffer('The two new passwords differ; nothing was changed.')
  }
  return [present, next]
}

export async function resetPassword(name: string, options: SharedOptions): Promise<void> {
  await withClient(options, async (client) => {
    const path = `/kumi/v1/people/${encodeURIComponent(name)}/password-link`
    const sent = await client.json<{ recipient: string; expiresAt: string; sendsMail: boolean }>('POST', path)
    show(options, sent, () =>
      sent.sendsMail
        ? `A link for a new password goes to ${sent.recipient}; it works until ${sent.expiresAt}.`
        : `This grid sends no mail. Hand over the link that kumi people mails shows; it works until ${sent.expiresAt}.`,
    )
  })
}
