import { Button, Code } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import { deleteClient, newClientSecret, type OwnClient, ownClientsQuery } from '../doors/mine.ts'
import { useMessages } from '../language/index.tsx'
import { Section, Sure, useMe } from './parts.tsx'

/** Clients registered in one's own name. */
export function OwnClients() {
  const t = useMessages().account.programs
  const asked = useQuery(ownClientsQuery(useMe().vo))
  if (!asked.data) return <Pending of={asked} />
  return (
    <Section title={t.clients} hint={t.clientsHint} flush>
      {asked.data.length === 0 ? (
        <Empty>{t.noClients}</Empty>
      ) : (
        <Scroll label={t.clients}>
          <table>
            <thead>
              <tr>
                <th scope="col">{t.client}</th>
                <th scope="col">{t.scopes}</th>
                <th scope="col">{t.since}</th>
                <th scope="col">{t.used}</th>
                <th scope="col">{t.remove}</th>
              </tr>
            </thead>
            <tbody>
              {asked.data.map((client) => (
                <Row key={client.client_id} client={client} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Section>
  )
}

function Row({ client }: { client: OwnClient }) {
  const t = useMessages().account.programs
  const { vo } = useMe()
  const [secret, setSecret] = useState<string | undefined>()
  const { client_id: id, client_name: name, scope, client_id_issued_at: issued, last_used } = client
  const hasSecret = client.token_endpoint_auth_method.startsWith('client_secret')
  return (
    <tr>
      <td className="break">
        {name || id} {!client.enabled && <Mark tone="unknown">{t.disabled}</Mark>}
        <div className="quiet">{[name && id, client.client_description].filter(Boolean).join(' · ')}</div>
        {secret && (
          <div role="status">
            <p>{t.secret(id)}</p>
            <Code block>{secret}</Code>
            <Button size="compact-sm" mt={6} variant="default" onClick={() => setSecret(undefined)}>
              {t.seen}
            </Button>
          </div>
        )}
      </td>
      <td className="break mono">{scope}</td>
      <td data-label={t.since}>
        <Time at={new Date(issued * 1000).toISOString()} />
      </td>
      <td data-label={t.used}>{last_used ? <Time at={last_used} /> : '–'}</td>
      <td className="acts">
        {hasSecret && (
          <Sure
            label={t.newSecret}
            of={id}
            title={t.newSecretTitle(id)}
            onSure={async () => setSecret((await newClientSecret(vo, id)).client_secret)}
          >
            <p>{t.newSecretHint}</p>
          </Sure>
        )}
        <Sure label={t.remove} of={id} title={t.removeTitle(id)} onSure={() => deleteClient(vo, id)}>
          <p>{t.removeHint}</p>
        </Sure>
      </td>
    </tr>
  )
}
