import { NativeSelect, TextInput } from '@mantine/core'
import { createGroup, type Group } from '../doors/groups.ts'
import { useMessages } from '../language/index.tsx'
import { ChangeForm } from './parts.tsx'

/** A group below another one. */
export function NewGroup({ parent }: { parent: Group }) {
  const t = useMessages()
  const { tree } = t.people
  const label = tree.create(parent.path)
  return (
    <section className="panel" aria-label={label}>
      <h2>{label}</h2>
      <ChangeForm
        label={label}
        submit={t.people.create}
        run={({ name = '', description = '', kind }) =>
          createGroup(parent.id, name, description, kind === 'optional' || kind === 'role' ? kind : 'plain')
        }
      >
        <TextInput
          name="name"
          label={t.people.name}
          description={tree.nameHint}
          required
          autoComplete="off"
          pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
        />
        <NativeSelect
          name="kind"
          label={tree.kind}
          description={tree.kindHint}
          data={(['plain', 'optional', 'role'] as const).map((value) => ({ value, label: tree[value] }))}
        />
        <TextInput className="grow" name="description" label={tree.description} description={'\u00a0'} />
      </ChangeForm>
    </section>
  )
}
