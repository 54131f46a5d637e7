import { Checkbox, NativeSelect, Textarea, TextInput } from '@mantine/core'
import { type Client, type ClientChange, GRANTS } from '../doors/clients.ts'
import { useMessages } from '../language/index.tsx'

/** What is decided about a client; for a new one also how it proves itself. */
export function ClientFields({ client }: { client?: Client }) {
  const t = useMessages()
  const c = t.people.clients
  return (
    <>
      {!client && (
        <TextInput
          name="id"
          label={c.id}
          description={c.idHint}
          required
          autoComplete="off"
          maxLength={100}
        />
      )}
      <TextInput
        name="client_name"
        label={t.people.name}
        description={c.nameHint}
        defaultValue={client?.client_name}
      />
      <TextInput name="client_description" label={c.description} defaultValue={client?.client_description} />
      <fieldset className="scopes">
        <legend>{c.grants}</legend>
        {GRANTS.filter(
          (grant) => !/password|one-time/.test(grant) || client?.grant_types.includes(grant),
        ).map((grant) => (
          <Checkbox
            key={grant}
            name={`grant ${grant}`}
            label={c.grant(grant)}
            description={c.grantHint(grant)}
            defaultChecked={client ? client.grant_types.includes(grant) : grant === 'client_credentials'}
          />
        ))}
      </fieldset>
      {!client && (
        <NativeSelect
          name="auth"
          label={c.auth}
          data={(['client_secret_basic', 'none'] as const).map((value) => ({ value, label: c.auths[value] }))}
        />
      )}
      <Textarea
        name="scope"
        label={c.scopes}
        description={c.scopesHint}
        defaultValue={client?.scope}
        autosize
        minRows={2}
      />
      <Textarea
        name="redirect_uris"
        label={c.redirects}
        description={c.redirectsHint}
        defaultValue={client?.redirect_uris.join('\n')}
        autosize
        minRows={2}
      />
      <TextInput
        name="audiences"
        label={c.audiences}
        description={c.audiencesHint}
        defaultValue={client?.audiences.join(' ')}
      />
      <TextInput
        name="account"
        label={c.actsAs}
        description={c.actsAsHint}
        defaultValue={client?.account ?? ''}
        autoComplete="off"
      />
    </>
  )
}

const words = (text = '') => text.split(/\s+/).filter(Boolean)

export function clientChange(values: Readonly<Record<string, string>>): ClientChange {
  return {
    client_name: values.client_name ?? '',
    client_description: values.client_description ?? '',
    redirect_uris: words(values.redirect_uris),
    grant_types: GRANTS.filter((grant) => `grant ${grant}` in values),
    scope: words(values.scope).join(' '),
    audiences: words(values.audiences),
    ...(values.account && { account: values.account }),
    ...(values.auth && { token_endpoint_auth_method: values.auth }),
  }
}
