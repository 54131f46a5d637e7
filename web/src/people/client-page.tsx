import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { Mark, Pending, Time } from '../common/parts.tsx'
import {
  type Client,
  changeClient,
  clientQuery,
  deleteClient,
  enableClient,
  rotateSecret,
  type Secret,
} from '../doors/clients.ts'
import { useMessages } from '../language/index.tsx'
import { ClientFields, clientChange } from './client-form.tsx'
import { SecretOnce } from './client-secret.tsx'
import { Asking, ChangeForm, Panel, PeoplePage, Step, useRights } from './parts.tsx'

/** Hours for which the secret before goes on to be taken. */
const OVERLAPS = [0, 1, 24, 168] as const

export function ClientPage() {
  const { id } = useParams({ from: '/people/clients/$id' })
  const { vo, may } = useRights()
  const allowed = may('identity.write')
  const asked = useQuery({ ...clientQuery(vo, id), enabled: allowed })
  return (
    <PeoplePage title={asked.data?.client_name || id} allowed={allowed}>
      {asked.data ? <Whole client={asked.data} /> : <Pending of={asked} />}
    </PeoplePage>
  )
}

function Whole({ client }: { client: Client }) {
  const t = useMessages()
  const c = t.people.clients
  const { vo } = useRights()
  const navigate = useNavigate()
  const [secret, setSecret] = useState<Secret>()
  const id = client.client_id
  return (
    <>
      <Panel title={t.people.tree.about}>
        <dl className="facts">
          <dt>{c.id}</dt>
          <dd className="mono">{id}</dd>
          <dt>{t.people.state}</dt>
          <dd>
            <Mark tone={client.enabled ? 'ok' : 'down'}>{client.enabled ? c.enabled : c.disabled}</Mark>
          </dd>
          <dt>{c.origin}</dt>
          <dd>
            {c.origins[client.origin]}
            {client.owners.length > 0 && ` (${client.owners.join(', ')})`}
          </dd>
          <dt>{c.auth}</dt>
          <dd>
            {client.token_endpoint_auth_method === 'none'
              ? c.auths.none
              : client.token_endpoint_auth_method === 'private_key_jwt'
                ? c.auths.private_key_jwt
                : c.auths.client_secret_basic}
          </dd>
          <dt>{c.made}</dt>
          <dd>
            <Time at={new Date(client.client_id_issued_at * 1000).toISOString()} />
          </dd>
          <dt>{c.lastUsed}</dt>
          <dd>{client.last_used ? <Time at={client.last_used} /> : c.never}</dd>
        </dl>
        {client.origin !== 'grid' && (
          <div className="moves">
            {client.enabled ? (
              <Asking
                label={c.disable}
                question={c.disableSure(id)}
                run={() => enableClient(vo, id, false)}
              />
            ) : (
              <Step label={c.enable} run={() => enableClient(vo, id, true)} />
            )}
            <Asking
              label={c.delete}
              question={c.deleteSure(id)}
              run={async () => {
                await deleteClient(vo, id)
                await navigate({ to: '/people/clients' })
              }}
            />
          </div>
        )}
      </Panel>
      {client.origin === 'grid' ? (
        <p className="quiet">{c.ofGrid}</p>
      ) : (
        <>
          {client.token_endpoint_auth_method === 'client_secret_basic' && (
            <Panel title={c.secret}>
              {secret ? (
                <SecretOnce secret={secret} />
              ) : (
                <>
                  <p className="quiet">{c.rotateHint}</p>
                  <ChangeForm
                    label={c.rotate}
                    submit={c.rotate}
                    run={async ({ hours }) => setSecret(await rotateSecret(vo, id, Number(hours) * 3600))}
                  >
                    <NativeSelect
                      name="hours"
                      label={c.overlap}
                      data={OVERLAPS.map((hours) => ({ value: String(hours), label: c.overlaps(hours) }))}
                    />
                  </ChangeForm>
                </>
              )}
            </Panel>
          )}
          <Panel title={c.settings}>
            <ChangeForm
              // Its last use must not empty a form that is being filled in.
              key={JSON.stringify({ ...client, last_used: null })}
              label={c.settings}
              submit={t.people.save}
              plain
              run={(values) => changeClient(vo, id, clientChange(values))}
            >
              <ClientFields client={client} />
            </ChangeForm>
          </Panel>
        </>
      )}
    </>
  )
}
