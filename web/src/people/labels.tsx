import { TextInput } from '@mantine/core'
import {
  type Attribute,
  dropAttribute,
  dropLabel,
  type Label,
  setAttribute,
  setLabel,
} from '../doors/people.ts'
import { useMessages } from '../language/index.tsx'
import { Asking, ChangeForm, useRights } from './parts.tsx'

/** Keys for other programs, of a person or a group. */
export function LabelList({
  holder,
  id,
  labels,
}: {
  holder: 'account' | 'group'
  id: string
  labels: Label[]
}) {
  const t = useMessages()
  const { vo, may } = useRights()
  const write = may('identity.write')
  return (
    <>
      <p className="quiet">{t.people.labels.labelsHint}</p>
      <ul className="plainlist">
        {labels.map((label) => {
          const name = [label.prefix, label.name].filter(Boolean).join('/')
          return (
            <li key={name}>
              <span className="mono break">
                {name}
                {label.value && ` = ${label.value}`}
              </span>
              {write && (
                <Asking
                  label={t.people.labels.remove(name)}
                  question={t.people.labels.removeSure}
                  run={() => dropLabel(vo, holder, id, label)}
                />
              )}
            </li>
          )
        })}
        {labels.length === 0 && <li className="quiet">{t.people.labels.noLabels}</li>}
      </ul>
      {write && (
        <ChangeForm
          label={t.people.labels.setLabel}
          submit={t.people.labels.set}
          run={({ name = '', value }) => setLabel(vo, holder, id, { name, ...(value && { value }) })}
        >
          <TextInput name="name" label={t.people.labels.name} required autoComplete="off" />
          <TextInput name="value" label={t.people.labels.value} autoComplete="off" />
        </ChangeForm>
      )}
    </>
  )
}

/** What VOMS puts into certificates. */
export function AttributeList({
  holder,
  id,
  attributes,
}: {
  holder: 'account' | 'group'
  id: string
  attributes: Attribute[]
}) {
  const t = useMessages()
  const { vo, may } = useRights()
  const write = may('identity.write')
  return (
    <>
      <p className="quiet">{t.people.labels.attributesHint}</p>
      <ul className="plainlist">
        {attributes.map(({ name, value }) => (
          <li key={name}>
            <span className="mono break">
              {name} = {value}
            </span>
            {write && (
              <Asking
                label={t.people.labels.remove(name)}
                question={t.people.labels.removeSure}
                run={() => dropAttribute(vo, holder, id, name)}
              />
            )}
          </li>
        ))}
        {attributes.length === 0 && <li className="quiet">{t.people.labels.noAttributes}</li>}
      </ul>
      {write && (
        <ChangeForm
          label={t.people.labels.setAttribute}
          submit={t.people.labels.set}
          run={({ name = '', value = '' }) => setAttribute(vo, holder, id, { name, value })}
        >
          <TextInput name="name" label={t.people.labels.name} required autoComplete="off" />
          <TextInput name="value" label={t.people.labels.value} required autoComplete="off" />
        </ChangeForm>
      )}
    </>
  )
}
