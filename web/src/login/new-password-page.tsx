import { Button } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { usePasswordForm } from '../account/password-fields.tsx'
import { StandingNotice } from '../account/standing.tsx'
import { DoorError } from '../doors/http.ts'
import { gridQuery } from '../doors/kumi.ts'
import { setForgottenPassword } from '../doors/passwords.ts'
import { useMessages } from '../language/index.tsx'
import { Entrance } from './entrance.tsx'

/** Where the link of the mail leads. Programs that look through mail open it too: only the form uses it up. */
export function NewPasswordPage() {
  const { password: t, joining } = useMessages()
  const { token = '', vo: wanted } = useSearch({ from: '/new-password' })
  const { data: grid } = useQuery(gridQuery)
  const vo = wanted ?? grid?.vo ?? ''
  const set = useMutation({ mutationFn: (next: string) => setForgottenPassword(vo, token, next) })
  const { error } = set
  const used = error instanceof DoorError && error.status === 404
  const standing = error instanceof DoorError && error.code && error.code in joining.standing && error
  const { form, submit, fields } = usePasswordForm({
    ...{ present: false, refused: error },
    onSend: ({ next }) => set.mutate(next),
  })
  return (
    <Entrance>
      <h1>{t.reset.title}</h1>
      {set.data ? (
        <>
          <p role="status">{t.reset.done(set.data.username)}</p>
          <Link to="/login" search={{ ...(wanted && { vo: wanted }) }}>
            {joining.register.toLogin}
          </Link>
        </>
      ) : used ? (
        <>
          <p className="error" role="alert">
            {t.reset.used}
          </p>
          <Link to="/forgot" search={{ ...(wanted && { vo: wanted }) }}>
            {t.reset.again}
          </Link>
        </>
      ) : standing ? (
        <StandingNotice code={standing.code ?? ''} detail={standing.message} />
      ) : (
        <form ref={form} onSubmit={submit} noValidate className="fields">
          <p className="quiet">{t.reset.intro(vo)}</p>
          {fields}
          <Button type="submit" fullWidth loading={set.isPending} disabled={vo === '' || token === ''}>
            {t.set}
          </Button>
        </form>
      )}
    </Entrance>
  )
}
