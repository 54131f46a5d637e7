import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import { type Client, clientsQuery } from '../doors/clients.ts'
import { useMessages } from '../language/index.tsx'
import { PeoplePage, useRights } from './parts.tsx'

/** Programs that ask for tokens. */
export function ClientsPage() {
  const { may } = useRights()
  return (
    <PeoplePage allowed={may('identity.write')}>
      <Clients />
    </PeoplePage>
  )
}

function Clients() {
  const t = useMessages()
  const c = t.people.clients
  const { vo } = useRights()
  const asked = useQuery(clientsQuery(vo))
  return (
    <>
      <div className="row headrow">
        <p className="quiet">{c.hint}</p>
        <Button size="xs" component={Link} to="/people/clients/new">
          {c.register}
        </Button>
      </div>
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : asked.data.length === 0 ? (
          <Empty>{c.none}</Empty>
        ) : (
          <Scroll label={t.people.tabs.clients}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{t.people.name}</th>
                  <th scope="col">{t.people.state}</th>
                  <th scope="col">{c.origin}</th>
                  <th scope="col">{c.grants}</th>
                  <th scope="col">{c.actsAs}</th>
                  <th scope="col">{c.lastUsed}</th>
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
      </div>
    </>
  )
}

function Row({ client }: { client: Client }) {
  const t = useMessages()
  const c = t.people.clients
  return (
    <tr>
      <td className="break">
        <Link to="/people/clients/$id" params={{ id: client.client_id }}>
          {client.client_name || client.client_id}
        </Link>{' '}
        {client.client_name !== '' && <span className="quiet">{client.client_id}</span>}
      </td>
      <td>
        <Mark tone={client.enabled ? 'ok' : 'down'}>{client.enabled ? c.enabled : c.disabled}</Mark>
      </td>
      <td>{c.origins[client.origin]}</td>
      <td className="quiet">{client.grant_types.map((grant) => c.grant(grant)).join(', ')}</td>
      <td data-label={c.actsAs}>{client.account}</td>
      <td data-label={c.lastUsed}>{client.last_used ? <Time at={client.last_used} /> : c.never}</td>
    </tr>
  )
}
