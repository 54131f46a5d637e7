import { Button, TextInput } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { utc } from '../common/format.ts'
import { DoorError } from '../doors/http.ts'
import { type Answer, answerDevice, deviceQuestion } from '../doors/iam.ts'
import { getSession } from '../doors/joining.ts'
import { useMessages } from '../language/index.tsx'
import { Consent } from './consent.tsx'
import { Entrance } from './entrance.tsx'

type Asked = Awaited<ReturnType<typeof deviceQuestion>> & { code: string }

/** A program without a browser waits for its person: enter its code, see who asks for what, decide. */
export function DevicePage() {
  const t = useMessages()
  const navigate = useNavigate()
  const { vo = '', code = '' } = useSearch({ from: '/device' })
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | undefined>()
  const [asked, setAsked] = useState<Asked | undefined>()
  const [done, setDone] = useState<Answer['decision'] | undefined>()

  const attempt = async (work: () => Promise<void>, user_code: string) => {
    setBusy(true)
    setProblem(undefined)
    try {
      await work()
    } catch (error) {
      const { status, message } = error as DoorError
      if (status === 401) {
        await navigate({ to: '/login', search: { vo, device: user_code }, replace: true })
      } else if (status === 403 && (await getSession(vo).catch(() => undefined))?.standing) {
        const next = `/device?${new URLSearchParams({ vo, code: user_code })}`
        await navigate({ to: '/sign', search: { vo, next }, replace: true })
      } else {
        setProblem(error instanceof DoorError && status === 404 ? t.device.wrong : message)
      }
    } finally {
      setBusy(false)
    }
  }
  const look = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const user_code = String(new FormData(event.currentTarget).get('user_code')).trim()
    void attempt(
      async () => setAsked({ ...(await deviceQuestion(vo, user_code)), code: user_code }),
      user_code,
    )
  }
  const answer = ({ code: user_code }: Asked, given: Answer) =>
    void attempt(async () => {
      await answerDevice(vo, user_code, given)
      setDone(given.decision)
    }, user_code)

  if (done) {
    return (
      <Entrance>
        <h1>{t.device.title}</h1>
        <p role="status">{done === 'approve' ? t.device.approved : t.device.denied}</p>
      </Entrance>
    )
  }
  if (asked) {
    return (
      <Entrance wide>
        <Consent
          question={asked}
          from={t.device.from(asked.whereto, utc(asked.asked_at))}
          busy={busy}
          problem={problem}
          onAnswer={(given) => answer(asked, given)}
        />
        <p className="quiet">{t.device.beware}</p>
      </Entrance>
    )
  }
  return (
    <Entrance>
      <h1>{t.device.title}</h1>
      <form onSubmit={look}>
        {problem ? (
          <p className="error" role="alert">
            {problem}
          </p>
        ) : (
          <p className="quiet">{t.device.intro}</p>
        )}
        <TextInput
          name="user_code"
          label={t.device.code}
          defaultValue={code}
          placeholder="BCDF-GHJK"
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          required
          mb="md"
        />
        <Button type="submit" fullWidth loading={busy}>
          {t.device.submit}
        </Button>
      </form>
    </Entrance>
  )
}
