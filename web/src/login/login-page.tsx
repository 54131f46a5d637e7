import { Button, PasswordInput, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { gridQuery, login } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { Entrance } from './entrance.tsx'

export function LoginPage() {
  const t = useMessages()
  const { code, vo, request, device } = useSearch({ from: '/login' })
  const client = useQueryClient()
  const navigate = useNavigate()
  const { data: grid } = useQuery(gridQuery)
  const [problem, setProblem] = useState<'usedUp' | 'refused' | undefined>()
  const [busy, setBusy] = useState(false)
  const tried = useRef('')

  const enter = async (credentials: Parameters<typeof login>[1], onFailure: 'usedUp' | 'refused') => {
    setBusy(true)
    try {
      await login(vo ?? grid!.vo, credentials)
      client.removeQueries({ queryKey: ['me'] })
      // A program or a device waits for the one who logs in.
      const asked = { ...(vo && { vo }) }
      if (request) await navigate({ to: '/authorize', search: { ...asked, request }, replace: true })
      else if (device) await navigate({ to: '/device', search: { ...asked, code: device }, replace: true })
      else await navigate({ to: '/', replace: true })
    } catch {
      setProblem(onFailure)
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
          {problem ? (
            <p className="error" role="alert">
              {t.login[problem]}
            </p>
          ) : (
            <p className="quiet">{t.login.intro}</p>
          )}
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
        </form>
      )}
    </Entrance>
  )
}
