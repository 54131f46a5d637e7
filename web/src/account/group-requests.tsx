import { Button, Select, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { CopyCommand, Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import {
  askForGroup,
  forgetRequest,
  type Group,
  type GroupRequest,
  type Membership,
  requestsQuery,
} from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { Section, useChange, useMe } from './parts.tsx'

const TONES = { PENDING: 'moving', APPROVED: 'ok', REJECTED: 'down' } as const

/** What one has asked for, with the answers, and the form to ask. */
export function GroupRequests({ groups, mine }: { groups: readonly Group[]; mine: readonly Membership[] }) {
  const t = useMessages().account.groups
  const { vo, account } = useMe()
  const asked = useQuery(requestsQuery(vo, account))
  if (!asked.data) return <Pending of={asked} />
  const waiting = asked.data.filter(({ status }) => status === 'PENDING').map((one) => `/${one.groupName}`)
  const taken = [...mine.map(({ path }) => path), ...waiting]
  return (
    <>
      <Section title={t.requests} flush act={<CopyCommand command="kumi group requests --all" />}>
        {asked.data.length === 0 ? (
          <Empty>{t.noRequests}</Empty>
        ) : (
          <Scroll label={t.requests}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.group}</th>
                  <th scope="col">{t.stateLabel}</th>
                  <th scope="col">{t.asked}</th>
                  <th scope="col">{t.notes}</th>
                  <th scope="col">{t.answer}</th>
                  <th scope="col">{t.withdraw}</th>
                </tr>
              </thead>
              <tbody>
                {asked.data.map((request) => (
                  <Row key={request.uuid} request={request} />
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </Section>
      <Ask groups={groups.filter(({ path }) => !taken.includes(path))} />
    </>
  )
}

function Row({ request }: { request: GroupRequest }) {
  const t = useMessages().account.groups
  const { vo } = useMe()
  const { uuid, groupName, status, creationTime, notes, motivation } = request
  const forget = useChange(() => forgetRequest(vo, uuid))
  const label = status === 'PENDING' ? t.withdraw : t.forget
  return (
    <tr>
      <td className="break">/{groupName}</td>
      <td>
        <Mark tone={TONES[status]}>{t.state[status]}</Mark>
      </td>
      <td data-label={t.asked}>
        <Time at={creationTime} />
      </td>
      <td className="break">{notes}</td>
      <td className="break">{motivation}</td>
      <td>
        <Button
          size="compact-sm"
          variant="default"
          loading={forget.isPending}
          aria-label={`${label}: /${groupName}`}
          onClick={() => forget.mutate(undefined)}
        >
          {label}
        </Button>
        {forget.error && <div className="error">{forget.error.message}</div>}
      </td>
    </tr>
  )
}

function Ask({ groups }: { groups: readonly Group[] }) {
  const t = useMessages().account.groups
  const { vo } = useMe()
  const [path, setPath] = useState<string | null>(null)
  const [notes, setNotes] = useState('')
  const ask = useChange((wanted: string) => askForGroup(vo, wanted, notes))
  const chosen = groups.find((group) => group.path === path)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!path) return
    ask.mutate(path, {
      onSuccess: () => {
        setPath(null)
        setNotes('')
      },
    })
  }
  return (
    <Section title={t.ask}>
      {groups.length === 0 ? (
        <Empty>{t.nothingLeft}</Empty>
      ) : (
        <form onSubmit={submit} className="form">
          <Select
            label={t.which}
            description={chosen?.description || t.whichHint}
            data={groups.map((group) => ({
              value: group.path,
              label: group.kind === 'usual' ? group.path : `${group.path} (${t.kind[group.kind]})`,
            }))}
            value={path}
            onChange={setPath}
            searchable
            required
          />
          <TextInput
            className="grow"
            label={t.why}
            description={t.whyHint}
            value={notes}
            maxLength={4000}
            onChange={(event) => setNotes(event.currentTarget.value)}
          />
          <div className="send">
            <Button type="submit" loading={ask.isPending} disabled={!path}>
              {t.send}
            </Button>
          </div>
        </form>
      )}
      <div role="status">
        {ask.isSuccess && !path && <Mark tone="ok">{t.sent(ask.variables)}</Mark>}
        {ask.error && <p className="error">{ask.error.message}</p>}
      </div>
    </Section>
  )
}
