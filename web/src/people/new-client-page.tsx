import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { createClient, type Secret } from '../doors/clients.ts'
import { useMessages } from '../language/index.tsx'
import { ClientFields, clientChange } from './client-form.tsx'
import { SecretOnce } from './client-secret.tsx'
import { ChangeForm, PeoplePage, useRights } from './parts.tsx'

export function NewClientPage() {
  const t = useMessages()
  const { vo, may } = useRights()
  const [made, setMade] = useState<Secret>()
  return (
    <PeoplePage title={t.people.clients.register} allowed={may('identity.write')}>
      {made ? (
        <section className="panel" aria-label={t.people.clients.registered}>
          <h2>{t.people.clients.registered}</h2>
          <SecretOnce secret={made} />
          <p>
            <Link to="/people/clients/$id" params={{ id: made.client_id }}>
              {made.client_id}
            </Link>
          </p>
        </section>
      ) : (
        <section className="panel">
          <ChangeForm
            label={t.people.clients.register}
            submit={t.people.clients.register}
            plain
            run={async ({ id = '', ...values }) => setMade(await createClient(vo, id, clientChange(values)))}
          >
            <ClientFields />
          </ChangeForm>
        </section>
      )}
    </PeoplePage>
  )
}
