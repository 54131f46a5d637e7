import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { CopyCommand, Mark, Pending } from '../common/parts.tsx'
import { changePassword, passwordQuery } from '../doors/passwords.ts'
import { useMessages } from '../language/index.tsx'
import { Section, useChange, useMe } from './parts.tsx'
import { usePasswordForm } from './password-fields.tsx'

/** The own password: changed with the present one, or set for the first time. */
export function PasswordSection() {
  const t = useMessages().password
  const { vo } = useMe()
  const asked = useQuery(passwordQuery(vo))
  const [round, setRound] = useState(0)
  const has = asked.data?.hasPassword
  return (
    <Section
      title={t.title}
      act={has && <CopyCommand command="kumi people password" />}
      {...(asked.data && { hint: has ? t.hint : t.firstHint })}
    >
      {has === undefined ? (
        <Pending of={asked} />
      ) : (
        <Form key={round} present={has} onDone={() => setRound(round + 1)} />
      )}
      <span role="status">{round > 0 && <Mark tone="ok">{t.changed}</Mark>}</span>
    </Section>
  )
}

function Form({ present, onDone }: { present: boolean; onDone: () => void }) {
  const t = useMessages().password
  const { vo, account } = useMe()
  const save = useChange((given: { present: string; next: string }) =>
    changePassword(vo, given.present, given.next),
  )
  const { form, submit, fields } = usePasswordForm({
    ...{ present, refused: save.error },
    onSend: (given) => save.mutate(given, { onSuccess: onDone }),
  })
  return (
    <form ref={form} onSubmit={submit} noValidate className="fields" aria-label={t.title}>
      {/* Keeps programs that remember passwords from mixing up accounts. */}
      <input type="text" name="username" autoComplete="username" value={account} readOnly hidden />
      {fields}
      <div className="row">
        <Button type="submit" loading={save.isPending}>
          {present ? t.change : t.set}
        </Button>
      </div>
    </form>
  )
}
