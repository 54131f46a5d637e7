import { Button, PasswordInput, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { Pending } from '../common/parts.tsx'
import { type Newcomer, policyQuery, register, registrationQuery } from '../doors/joining.ts'
import { gridQuery } from '../doors/kumi.ts'
import { useLanguage, useMessages } from '../language/index.tsx'
import { Entrance } from '../login/entrance.tsx'
import { PolicyText } from './policy-text.tsx'
import { type Faults, faultsIn, faultsOf } from './register-faults.ts'

/** Somebody who has no account yet asks to become a member. */
export function RegisterPage() {
  const t = useMessages().joining
  const { vo: wanted } = useSearch({ from: '/register' })
  const { data: grid } = useQuery(gridQuery)
  const vo = wanted ?? grid?.vo ?? ''
  const config = useQuery(registrationQuery(vo))
  const send = useMutation({ mutationFn: (newcomer: Newcomer) => register(vo, newcomer) })
  if (send.data) return <Sent {...send.data} />
  return (
    <Entrance wide>
      <h1>{t.register.title(vo)}</h1>
      {!config.data ? (
        <Pending of={config} />
      ) : config.data.enabled ? (
        <Form vo={vo} busy={send.isPending} refused={send.error} onSend={send.mutate} />
      ) : (
        <p>{t.register.closed(vo)}</p>
      )}
      <p className="quiet">
        <Link to="/login" search={{}}>
          {t.register.toLogin}
        </Link>
      </p>
    </Entrance>
  )
}

const NAMES = {
  en: [
    ['givenname', 'given', 'given-name', true],
    ['familyname', 'family', 'family-name', true],
  ],
  ja: [
    ['familyname', 'family', 'family-name', true],
    ['givenname', 'given', 'given-name', true],
  ],
} as const
const CONTACT = [
  ['email', 'email', 'email', true],
  ['institute', 'institute', 'organization', false],
] as const

function Form({
  vo,
  busy,
  refused,
  onSend,
}: {
  vo: string
  busy: boolean
  refused: Error | null
  onSend: (newcomer: Newcomer) => void
}) {
  const { t: messages, language } = useLanguage()
  const t = messages.joining.register
  const form = useRef<HTMLFormElement>(null)
  const [faults, setFaults] = useState<Faults>({})
  const policy = useQuery(policyQuery(vo))
  const found = { ...(refused ? faultsOf(refused) : {}), ...faults }
  const wrong = (name: string) => {
    const fault = found[name as keyof Faults]
    return fault && (t.wrong[fault as keyof typeof t.wrong] ?? fault)
  }
  // Whoever cannot see which field is marked is taken to the first of them, after each attempt.
  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt shows in what was found wrong
  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }, [faults, refused])
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const given = Object.fromEntries([...new FormData(event.currentTarget)].map(([k, v]) => [k, String(v)]))
    const { repeat = '', ...rest } = given
    const newcomer = { ...(rest as unknown as Newcomer), username: (given.username ?? '').trim() }
    const now = faultsIn(newcomer, repeat)
    setFaults(now)
    if (Object.keys(now).length === 0) onSend(newcomer)
  }
  return (
    <form ref={form} onSubmit={submit} noValidate className="fields two-columns">
      <p className="quiet whole">{t.intro}</p>
      <TextInput
        className="whole"
        name="username"
        label={t.username}
        description={t.usernameHint}
        autoCapitalize="none"
        autoComplete="username"
        maxLength={254}
        required
        error={wrong('username')}
      />
      {[...NAMES[language], ...CONTACT].map(([name, label, autoComplete, required]) => (
        <TextInput
          key={name}
          name={name}
          label={t[label]}
          type={name === 'email' ? 'email' : 'text'}
          autoComplete={autoComplete}
          maxLength={254}
          required={required}
          error={wrong(name)}
        />
      ))}
      <PasswordInput
        name="password"
        label={t.password}
        description={t.passwordHint}
        autoComplete="new-password"
        required
        error={wrong('password')}
      />
      <PasswordInput
        name="repeat"
        label={t.repeat}
        description={'\u00a0'}
        autoComplete="new-password"
        required
        error={wrong('repeat')}
      />
      <Textarea
        className="whole"
        name="notes"
        label={t.notes}
        description={t.notesHint}
        autosize
        minRows={2}
        maxLength={4000}
      />
      {policy.data && (
        <details className="whole">
          <summary>{t.policy}</summary>
          <PolicyText policy={policy.data} />
        </details>
      )}
      {Object.keys(found).length > 0 && (
        <p className="error whole" role="alert">
          {wrong('form') ?? t.wrong.some}
        </p>
      )}
      <Button className="whole" type="submit" loading={busy}>
        {t.submit}
      </Button>
    </form>
  )
}

function Sent({ username, email, status }: { username: string; email: string; status: string }) {
  const t = useMessages().joining
  return (
    <Entrance wide>
      <h1>{t.sent.title}</h1>
      <h2>{t.sent.next}</h2>
      <ol className="steps">
        {status === 'NEW' && <li>{t.sent.confirm(email)}</li>}
        <li>{t.sent.wait}</li>
        <li>{t.sent.login(username)}</li>
      </ol>
      <Link to="/login" search={{}}>
        {t.register.toLogin}
      </Link>
    </Entrance>
  )
}
