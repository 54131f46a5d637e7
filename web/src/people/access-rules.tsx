import { Button, Select, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Mark, Pending, Scroll } from '../common/parts.tsx'
import {
  type AccessRule,
  accessRulesQuery,
  addAccessRule,
  removeAccessRule,
  subjectOf,
  subjectText,
} from '../doors/access.ts'
import { meQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'

/** The rules of the policy; administrators add and remove them. */
export function AccessRules() {
  const t = useMessages()
  const asked = useQuery(accessRulesQuery)
  const { data: me } = useQuery(meQuery)
  return (
    <>
      <h2>{t.people.access.rules}</h2>
      <p className="quiet">{t.people.access.rulesHint}</p>
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : (
          <Scroll label={t.people.access.rules}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.people.access.effectLabel}</th>
                  <th scope="col">{t.people.access.who}</th>
                  <th scope="col">{t.people.access.action}</th>
                  <th scope="col">{t.people.access.on}</th>
                  <th scope="col">{t.people.access.comment}</th>
                  {me?.admin && <th scope="col">{t.people.access.remove}</th>}
                </tr>
              </thead>
              <tbody>
                {asked.data.map((rule) => (
                  <Row key={rule.id} rule={rule} mayChange={me?.admin === true} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </div>
      {me?.admin && <NewRule />}
    </>
  )
}

/** A change of the policy, after which everything about access is asked again. */
function useChange<T>(change: (input: T) => Promise<unknown>) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: ['access'] }),
  })
}

function Row({ rule, mayChange }: { rule: AccessRule; mayChange: boolean }) {
  const t = useMessages()
  const [sure, setSure] = useState(false)
  const remove = useChange(removeAccessRule)
  return (
    <tr>
      <td>
        <Mark tone={rule.effect === 'allow' ? 'ok' : 'down'}>{t.people.access.effect[rule.effect]}</Mark>
      </td>
      <td>{rule.subjectKind === 'everyone' ? t.people.access.everyone : subjectText(rule)}</td>
      <td>{rule.action}</td>
      <td>{rule.resource}</td>
      <td>{rule.comment}</td>
      {mayChange && (
        <td>
          {sure ? (
            <>
              <Button
                size="compact-xs"
                color="red"
                loading={remove.isPending}
                onClick={() => remove.mutate(rule.id)}
              >
                {t.people.access.removeSure}
              </Button>{' '}
              <Button size="compact-xs" variant="default" onClick={() => setSure(false)}>
                {t.people.access.keep}
              </Button>
              {remove.error && <div className="error">{remove.error.message}</div>}
            </>
          ) : (
            <Button size="compact-xs" variant="default" onClick={() => setSure(true)}>
              {t.people.access.remove}
            </Button>
          )}
        </td>
      )}
    </tr>
  )
}

function NewRule() {
  const t = useMessages()
  const add = useChange(addAccessRule)
  const [effect, setEffect] = useState<'allow' | 'deny'>('allow')
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const at = event.currentTarget
    const form = new FormData(at)
    const value = (name: string) => String(form.get(name) ?? '').trim()
    add.mutate(
      {
        ...subjectOf(value('subject')),
        effect,
        action: value('action'),
        resource: value('resource') || '*',
        comment: value('comment'),
      },
      { onSuccess: () => at.reset() },
    )
  }
  return (
    <form onSubmit={submit} className="panel form" aria-label={t.people.access.add}>
      <Select
        label={t.people.access.effectLabel}
        description={'\u00a0'}
        data={(['allow', 'deny'] as const).map((value) => ({ value, label: t.people.access.effect[value] }))}
        value={effect}
        onChange={(value) => setEffect(value === 'deny' ? 'deny' : 'allow')}
        allowDeselect={false}
      />
      <TextInput name="subject" label={t.people.access.who} description={t.people.access.whoHint} required />
      <TextInput name="action" label={t.people.access.action} description={'\u00a0'} required />
      <TextInput name="resource" label={t.people.access.on} description={t.people.access.onHint} />
      <TextInput name="comment" label={t.people.access.comment} description={'\u00a0'} />
      <div className="send">
        <Button type="submit" loading={add.isPending}>
          {t.people.access.add}
        </Button>
      </div>
      {add.error && (
        <p className="error" role="alert">
          {add.error.message}
        </p>
      )}
    </form>
  )
}
