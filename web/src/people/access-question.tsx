import { Autocomplete, Button, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import type { FormEvent } from 'react'
import { Mark } from '../common/parts.tsx'
import { accessMatrixQuery, explainAccess } from '../doors/access.ts'
import { useMessages } from '../language/index.tsx'

/** The storage actions are asked about too, though the table of the policy does not have them. */
const STORAGE = [
  'storage.read',
  'storage.create',
  'storage.overwrite',
  'storage.delete',
  'storage.stat',
  'storage.list',
]

/** A question that is answered with the rule or the scope that decides. */
export function AccessQuestion() {
  const t = useMessages()
  const matrix = useQuery(accessMatrixQuery)
  const ask = useMutation({ mutationFn: explainAccess })
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const value = (name: string) => String(form.get(name) ?? '').trim()
    const place = value('path')
    const question = {
      action: value('action'),
      account: value('account'),
      owner: value('owner'),
      [/^[a-z]+:\/\//i.test(place) ? 'url' : 'path']: place,
    }
    ask.mutate(Object.fromEntries(Object.entries(question).filter(([, given]) => given !== '')))
  }
  const answer = ask.data
  return (
    <section className="panel" aria-label={t.people.access.ask}>
      <h2>{t.people.access.ask}</h2>
      <form onSubmit={submit} className="form">
        <Autocomplete
          name="action"
          label={t.people.access.action}
          description={'\u00a0'}
          data={[...(matrix.data?.actions.map(({ name }) => name) ?? []), ...STORAGE]}
          required
        />
        <TextInput
          name="account"
          label={t.people.access.account}
          description={t.people.access.accountHint}
          autoComplete="off"
        />
        <TextInput name="owner" label={t.people.access.owner} description={t.people.access.ownerHint} />
        <TextInput name="path" label={t.people.access.path} description={t.people.access.pathHint} />
        <div className="send">
          <Button type="submit" loading={ask.isPending}>
            {t.people.access.submit}
          </Button>
        </div>
      </form>
      <div role="status">
        {ask.error && <p className="error">{ask.error.message}</p>}
        {answer && !ask.error && (
          <p>
            <Mark tone={answer.allow ? 'ok' : 'down'}>
              {t.people.access[answer.allow ? 'may' : 'mayNot'](
                answer.who.account ?? answer.who.subject,
                [answer.action, answer.path].filter(Boolean).join(' '),
              )}
            </Mark>{' '}
            <span className="quiet">
              {t.people.access.because}: {answer.reason}
            </span>
          </p>
        )}
      </div>
    </section>
  )
}
