import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { DoorError } from '../doors/http.ts'
import { type Answer, answerConsent, consentQuestion } from '../doors/iam.ts'
import { useMessages } from '../language/index.tsx'
import { Consent } from './consent.tsx'
import { Entrance } from './entrance.tsx'

/** A program in another window asks for tokens: login first, then consent, then back to the program. */
export function AuthorizePage() {
  const t = useMessages()
  const navigate = useNavigate()
  const { vo = '', request = '' } = useSearch({ from: '/authorize' })
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>()
  const asked = useQuery({
    queryKey: ['authorize', vo, request],
    queryFn: () => consentQuestion(vo, request),
    // The question is one about now; after a login it is another.
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  })
  const question = asked.data

  const answer = async (given: Answer) => {
    setBusy(true)
    setProblem(undefined)
    try {
      window.location.assign((await answerConsent(vo, request, given)).redirect_to)
    } catch (error) {
      setBusy(false)
      setProblem(error instanceof Error ? error.message : String(error))
    }
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: decided once, when the question is known
  useEffect(() => {
    if (question?.login_needed) void navigate({ to: '/login', search: { vo, request }, replace: true })
    else if (question && !question.consent_needed) void answer({ decision: 'approve' })
  }, [question])
  const refused = asked.error instanceof DoorError ? asked.error : undefined
  const unsigned = refused?.code === 'policy_unsigned' || refused?.code === 'policy_expired'
  useEffect(() => {
    const next = `/authorize?${new URLSearchParams({ vo, request })}`
    if (unsigned) void navigate({ to: '/sign', search: { vo, next }, replace: true })
  }, [unsigned, vo, request, navigate])

  if (asked.error) {
    const over = refused?.status === 404
    return (
      <Entrance>
        <h1>{t.consent.overTitle}</h1>
        <p role="alert">{over ? t.consent.over : asked.error.message}</p>
      </Entrance>
    )
  }
  if (!question || question.login_needed || !question.consent_needed) {
    return (
      <Entrance>
        <h1>{t.consent.wait}</h1>
        {problem ? (
          <p className="error" role="alert">
            {problem}
          </p>
        ) : (
          <p role="status">{t.app.loading}</p>
        )}
      </Entrance>
    )
  }
  return (
    <Entrance wide>
      <Consent question={question} from={question.whereto} busy={busy} problem={problem} onAnswer={answer} />
    </Entrance>
  )
}
