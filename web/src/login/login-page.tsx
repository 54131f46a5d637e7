import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { inside } from '../account/inside.ts'
import { StandingNotice } from '../account/standing.tsx'
import { DoorError } from '../doors/http.ts'
import { registrationQuery } from '../doors/joining.ts'
import { gridQuery, login } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { Entrance } from './entrance.tsx'

export function LoginPage() {
  const t = useMessages()
  const { code, vo, request, device, next } = useSearch({ from: '/login' })
  const client = useQueryClient()
  const navigate = useNavigate()
  const { data: grid } = useQuery(gridQuery)
  const { history } = useRouter()
  const { data: joining } = useQuery(registrationQuery(vo ?? grid?.vo ?? ''))
  const [problem, setProblem] = useState<'usedUp' | 'refused' | DoorError | undefined>()
  const [busy, setBusy] = useState(false)
  const tried = useRef('')

  const enter = async (credentials: Parameters<typeof login>[1], onFailure: 'usedUp' | 'refused') => {
    setBusy(true)
    try {
      const { standing } = await login(vo ?? grid!.vo, credentials)
      client.removeQueries({ queryKey: ['me'] })
      // A program or a device waits for the one who logs in.
      const asked = new URLSearchParams({
        ...(vo && { vo }),
        ...(request ? { request } : device && { code: device }),
      })
      const onward = request ? `/authorize?${asked}` : device ? `/device?${asked}` : (next ?? '/')
      if (standing) {
        await navigate({ to: '/sign', search: { ...(vo && { vo }), next: onward }, replace: true })
      } else history.replace(inside(onward))
    } catch (error) {
      const told = error instanceof DoorError && error.code !== undefined && error.code !== 'login_failed'
      setProblem(told ? error : onFailure)
    } finally {
      setBusy(false)
    }
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: a one-time code is tried once, when both are known
  useEffect(() => {
    if (!code || !grid || tried.current === code) return
    tried.current = code
    void enter({ code }, 'usedUp')
  }, [code, grid])

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setProblem(undefined)
    void enter({ username: String(form.get('username')), password: String(form.get('password')) }, 'refused')
  }
  return (
    <Entrance>
      <h1>{t.login.title}</h1>
      {code && !problem ? (
        <p role="status">{t.login.once}</p>
      ) : (
        <form onSubmit={submit}>
          {problem ? <Refusal of={problem} /> : <p className="quiet">{t.login.intro}</p>}
          <TextInput name="username" label={t.login.user} autoComplete="username" required mb="sm" />
          <PasswordInput
            name="password"
            label={t.login.password}
            autoComplete="current-password"
            required
            mb="md"
          />
          <Button type="submit" fullWidth loading={busy} disabled={!grid}>
            {t.login.submit}
          </Button>
          {joining?.enabled && (
            <p className="quiet">
              <Link to="/register" search={{ ...(vo && { vo }) }}>
                {t.joining.link}
              </Link>
            </p>
          )}
        </form>
      )}
    </Entrance>
  )
}

/** Why nobody was let in: about the password, or about how the person stands. */
function Refusal({ of }: { of: 'usedUp' | 'refused' | DoorError }) {
  const t = useMessages()
  if (of instanceof DoorError && of.code && of.code in t.joining.standing) {
    return <StandingNotice code={of.code} detail={of.message} />
  }
  return (
    <p className="error" role="alert">
      {!(of instanceof DoorError)
        ? t.login[of]
        : of.code === 'login_rate_limited'
          ? t.joining.rateLimited
          : of.message}
    </p>
  )
}
