import { Button, Checkbox } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useRouter, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { Pending } from '../common/parts.tsx'
import { DoorError } from '../doors/http.ts'
import { policyQuery, sessionQuery, sign } from '../doors/joining.ts'
import { gridQuery, logout } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { Entrance } from '../login/entrance.tsx'
import { inside } from './inside.ts'
import { PolicyText } from './policy-text.tsx'
import { StandingNotice } from './standing.tsx'

/** Reading and signing the usage policy, and then on to where one wanted to go. */
export function SignPage() {
  const t = useMessages()
  const { next = '/', again, vo: wanted } = useSearch({ from: '/sign' })
  const navigate = useNavigate()
  const { history } = useRouter()
  const client = useQueryClient()
  const { data: grid } = useQuery(gridQuery)
  const vo = wanted ?? grid?.vo ?? ''
  const session = useQuery(sessionQuery(vo))
  const policy = useQuery(policyQuery(vo))
  const [agreed, setAgreed] = useState(false)
  const onward = () => {
    client.removeQueries({ queryKey: ['me'] })
    client.removeQueries({ queryKey: ['session'] })
    client.removeQueries({ queryKey: ['mine'] })
    history.replace(inside(next))
  }
  const signing = useMutation({
    mutationFn: () => sign(vo, policy.data!.version),
    onSuccess: onward,
    onError: () => {
      setAgreed(false)
      void policy.refetch()
    },
  })
  const leave = async () => {
    if (again) return onward()
    await logout(vo).catch(() => undefined)
    client.clear()
    await navigate({ to: '/login', search: {} })
  }
  const standing = session.data?.standing
  const nothingToSign = policy.data === null || (session.isSuccess && !standing && !again)
  // biome-ignore lint/correctness/useExhaustiveDependencies: decided once, when both are known
  useEffect(() => {
    if (session.error) void navigate({ to: '/login', search: { next }, replace: true })
    else if (nothingToSign) onward()
  }, [session.error, nothingToSign])

  if (!session.data || !policy.data || nothingToSign) {
    return (
      <Entrance wide>
        <h1>{t.joining.sign.title(vo)}</h1>
        <Pending of={policy} />
      </Entrance>
    )
  }
  const changed = signing.error instanceof DoorError && signing.error.code === 'policy_changed'
  return (
    <Entrance wide>
      <h1>{t.joining.sign.title(vo)}</h1>
      {standing && <StandingNotice code={standing.code} hint={t.joining.sign.why} />}
      <PolicyText policy={policy.data} />
      <Checkbox my="md" checked={agreed} onChange={() => setAgreed(!agreed)} label={t.joining.sign.agree} />
      {signing.error && (
        <p className="error" role="alert">
          {changed ? t.joining.sign.changed : signing.error.message}
        </p>
      )}
      <div className="answers">
        <Button onClick={() => signing.mutate()} loading={signing.isPending} disabled={!agreed}>
          {t.joining.sign.submit}
        </Button>
        <Button variant="default" onClick={() => void leave()} disabled={signing.isPending}>
          {t.joining.sign.later}
        </Button>
      </div>
    </Entrance>
  )
}
