import { PasswordInput } from '@mantine/core'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { DoorError } from '../doors/http.ts'
import type { Messages } from '../language/en.ts'
import { useMessages } from '../language/index.tsx'

type Wrong = keyof Messages['password']['wrong']
type Field = 'present' | 'next' | 'repeat'
const FIELDS: Readonly<Partial<Record<Wrong, Field>>> = {
  present: 'present',
  length: 'next',
  repeat: 'repeat',
}
const OF_CODE: Readonly<Record<string, Wrong>> = {
  password_wrong: 'present',
  invalid_password: 'length',
  login_rate_limited: 'tooMany',
  password_reset_rate_limited: 'tooMany',
  fresh_login_needed: 'fresh',
}

/** What the grid refused, in the reader's language where the dictionary knows it. */
export function refusal(error: Error, words: Messages['password']['wrong']): string {
  const word = error instanceof DoorError && error.code ? OF_CODE[error.code] : undefined
  return word ? words[word] : error.message
}

/** The fields of a new password, with the present one where it is asked for, and what is wrong with each. */
export function usePasswordForm({
  present,
  refused,
  onSend,
}: {
  present: boolean
  refused: Error | null
  onSend: (given: { present: string; next: string }) => void
}) {
  const t = useMessages().password
  const form = useRef<HTMLFormElement>(null)
  const [fault, setFault] = useState<Wrong | undefined>()
  const code = refused instanceof DoorError && refused.code ? OF_CODE[refused.code] : undefined
  const found = fault ?? code
  const field = found && FIELDS[found]
  const wrong = (name: Field) => (found && field === name ? t.wrong[found] : undefined)
  // Whoever cannot see which field is marked is taken there, after each attempt.
  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt shows in what was found wrong
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }, [fault, refused])
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const given = new FormData(event.currentTarget)
    const text = (name: Field) => String(given.get(name) ?? '')
    const next = text('next')
    const now: Wrong | undefined =
      next.length < 8 || next.length > 1024 ? 'length' : next !== text('repeat') ? 'repeat' : undefined
    setFault(now)
    if (!now) onSend({ present: text('present'), next })
  }
  const fields = (
    <>
      {present && (
        <PasswordInput
          name="present"
          label={t.present}
          autoComplete="current-password"
          required
          error={wrong('present')}
        />
      )}
      <PasswordInput
        name="next"
        label={t.next}
        description={t.nextHint}
        autoComplete="new-password"
        required
        error={wrong('next')}
      />
      <PasswordInput
        name="repeat"
        label={t.repeat}
        autoComplete="new-password"
        required
        error={wrong('repeat')}
      />
      {refused && !fault && !field && (
        <p className="error" role="alert">
          {refusal(refused, t.wrong)}
        </p>
      )}
    </>
  )
  return { form, submit, fields }
}
