import { Button, Checkbox } from '@mantine/core'
import { useId, useState } from 'react'
import type { Answer, Question } from '../doors/iam.ts'
import { useMessages } from '../language/index.tsx'
import { scopeWords } from './scope-words.ts'

const ANY = 'https://wlcg.cern.ch/jwt/v1/any'

interface Asked {
  question: Question
  /** Where the request came from, in words. */
  from: string
  busy: boolean
  problem: string | undefined
  onAnswer: (answer: Answer) => void
}

/** Who asks for what, and the person's answer. Nothing is given before one of the two buttons is pressed. */
export function Consent({ question, from, busy, problem, onAnswer }: Asked) {
  const t = useMessages()
  const [given, setGiven] = useState<readonly string[]>(question.scopes)
  const [remember, setRemember] = useState(false)
  const list = useId()
  const { client, audience } = question
  const toggle = (scope: string) =>
    setGiven(given.includes(scope) ? given.filter((one) => one !== scope) : [...given, scope])
  const approve = (): Answer => ({
    decision: 'approve',
    ...(given.length < question.scopes.length && { scopes: [...given] }),
    ...(remember && { remember }),
  })
  const somewhere = audience.filter((one) => one !== ANY)
  return (
    <>
      <h1>{t.consent.title(client.name)}</h1>
      {client.description && <p>{client.description}</p>}
      <p className="quiet">{t.consent.origin[client.origin]}</p>
      <dl className="facts">
        <dt>{t.consent.account}</dt>
        <dd>{question.account}</dd>
        <dt>{t.consent.from}</dt>
        <dd className="mono">{from}</dd>
        <dt>{t.consent.where}</dt>
        <dd className="mono">{somewhere.length > 0 ? somewhere.join(' ') : t.consent.anywhere}</dd>
      </dl>
      <fieldset className="scopes" aria-labelledby={list}>
        <legend id={list}>{t.consent.scopesTitle}</legend>
        {question.scopes.map((scope) => (
          <Checkbox
            key={scope}
            checked={given.includes(scope)}
            onChange={() => toggle(scope)}
            label={scopeWords(scope, t.consent)}
            description={scope}
          />
        ))}
      </fieldset>
      {question.rememberable && (
        <Checkbox
          mb="md"
          checked={remember}
          onChange={() => setRemember(!remember)}
          label={t.consent.remember}
        />
      )}
      {problem && (
        <p className="error" role="alert">
          {problem}
        </p>
      )}
      <div className="answers">
        <Button
          onClick={() => onAnswer(approve())}
          loading={busy}
          disabled={given.length === 0}
          data-answer="approve"
        >
          {t.consent.approve}
        </Button>
        <Button variant="default" onClick={() => onAnswer({ decision: 'deny' })} disabled={busy}>
          {t.consent.deny}
        </Button>
      </div>
    </>
  )
}
