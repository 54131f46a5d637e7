import { Button, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import type { FormEvent } from 'react'
import { refusal } from '../account/password-fields.tsx'
import { gridQuery } from '../doors/kumi.ts'
import { askForPassword, linksQuery } from '../doors/passwords.ts'
import { useMessages } from '../language/index.tsx'
import { Entrance } from './entrance.tsx'

/** Somebody forgot the password. Whether there is such an account is not told here. */
export function ForgotPage() {
  const { password: t, joining } = useMessages()
  const { vo: wanted } = useSearch({ from: '/forgot' })
  const { data: grid } = useQuery(gridQuery)
  const vo = wanted ?? grid?.vo ?? ''
  const { data: links } = useQuery(linksQuery(vo))
  const ask = useMutation({ mutationFn: (who: string) => askForPassword(vo, who) })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    ask.mutate(String(new FormData(event.currentTarget).get('who')).trim())
  }
  const handedOver = links?.sendsMail === false
  return (
    <Entrance>
      <h1>{t.forgotten.title}</h1>
      {ask.isSuccess ? (
        <div role="status">
          <p>{t.forgotten.sent}</p>
          <p>{handedOver ? t.forgotten.noMail(vo) : t.forgotten.look}</p>
        </div>
      ) : (
        <form onSubmit={submit}>
          {ask.error ? (
            <p className="error" role="alert">
              {refusal(ask.error, t.wrong)}
            </p>
          ) : (
            <p className="quiet">{handedOver ? t.forgotten.noMail(vo) : t.forgotten.intro}</p>
          )}
          <TextInput
            name="who"
            label={t.forgotten.who}
            autoComplete="username"
            autoCapitalize="none"
            maxLength={254}
            required
            mb="md"
          />
          <Button type="submit" fullWidth loading={ask.isPending} disabled={vo === ''}>
            {t.forgotten.submit}
          </Button>
        </form>
      )}
      <p className="quiet">
        <Link to="/login" search={{ ...(wanted && { vo: wanted }) }}>
          {joining.register.toLogin}
        </Link>
      </p>
    </Entrance>
  )
}
