import { Checkbox, NumberInput, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { count } from '../common/format.ts'
import { Empty, Mark, Pending, Scroll, Time } from '../common/parts.tsx'
import {
  askAgain,
  type PolicyVersion,
  policiesQuery,
  publishPolicy,
  withdrawPolicy,
} from '../doors/policies.ts'
import { useMessages } from '../language/index.tsx'
import { Asking, ChangeForm, LongText, Panel, PeoplePage, useRights } from './parts.tsx'

/** The usage policy: what is in force, who signed, what was in force before. */
export function PoliciesPage() {
  const { may } = useRights()
  return (
    <PeoplePage command="kumi policy show" allowed={may('identity.people.read')}>
      <Policies />
    </PeoplePage>
  )
}

function Policies() {
  const t = useMessages()
  const p = t.people.policies
  const { may } = useRights()
  const asked = useQuery(policiesQuery)
  if (!asked.data) {
    return (
      <div className="panel">
        <Pending of={asked} />
      </div>
    )
  }
  const { versions, signed, unsigned } = asked.data
  const inForce = versions.find(({ withdrawnAt }) => withdrawnAt === null)
  return (
    <>
      {inForce ? (
        <InForce policy={inForce} signed={signed} unsigned={unsigned} />
      ) : (
        <div className="panel">
          <Empty>{p.none}</Empty>
        </div>
      )}
      {may('identity.write') && <Publish before={inForce} />}
      {versions.length > 0 && <Versions versions={versions} inForce={inForce?.version} />}
    </>
  )
}

function InForce({ policy, signed, unsigned }: { policy: PolicyVersion; signed: number; unsigned: number }) {
  const t = useMessages()
  const p = t.people.policies
  const { vo, may } = useRights()
  return (
    <Panel title={p.inForce(policy.version)}>
      <div className="tiles two-tiles">
        <div className="tile">
          <b>{count(signed)}</b>
          <span>
            <Mark tone="ok">{p.signed}</Mark>
          </span>
        </div>
        <Link className="tile" to="/people/members" search={{ state: 'unsigned' }}>
          <b>{count(unsigned)}</b>
          <span>
            <Mark tone={unsigned > 0 ? 'degraded' : 'ok'}>{p.unsigned}</Mark>
          </span>
        </Link>
      </div>
      <Terms policy={policy} />
      {may('identity.write') && (
        <div className="moves">
          <Asking label={p.again} question={p.againSure(signed)} run={() => askAgain(vo)} />
          <Asking label={p.withdraw} question={p.withdrawSure} run={() => withdrawPolicy(vo)} />
        </div>
      )}
    </Panel>
  )
}

function Terms({ policy }: { policy: PolicyVersion }) {
  const t = useMessages()
  const p = t.people.policies
  return (
    <>
      <dl className="facts">
        {policy.description && (
          <>
            <dt>{p.description}</dt>
            <dd>{policy.description}</dd>
          </>
        )}
        <dt>{p.published}</dt>
        <dd>
          <Time at={policy.publishedAt} /> · {policy.publishedBy}
        </dd>
        <dt>{p.signFrom}</dt>
        <dd>
          <Time at={policy.signFrom} />
        </dd>
        <dt>{p.counts}</dt>
        <dd>
          {policy.validityDays === 0 ? p.forever : p.days(policy.validityDays)}
          {policy.validityDays > 0 && policy.reminderDays.length > 0 && (
            <> · {p.reminded(policy.reminderDays.join(', '))}</>
          )}
        </dd>
        {policy.url && (
          <>
            <dt>{p.url}</dt>
            <dd>
              <a href={policy.url} rel="noreferrer noopener" target="_blank">
                {policy.url}
              </a>
            </dd>
          </>
        )}
      </dl>
      {policy.text && (
        <details className="more">
          <summary>{p.read}</summary>
          <div className="terms">{policy.text}</div>
        </details>
      )}
    </>
  )
}

function Publish({ before }: { before: PolicyVersion | undefined }) {
  const t = useMessages()
  const p = t.people.policies
  const { vo } = useRights()
  return (
    <Panel title={before ? p.next : p.first}>
      {before && <p className="quiet">{p.nextHint}</p>}
      <details className="more" open={!before}>
        <summary>{p.write}</summary>
        <ChangeForm
          key={before?.version ?? 0}
          label={before ? p.next : p.first}
          submit={p.publish}
          plain
          run={({ text = '', url = '', description = '', days, remind = '', correction }) =>
            publishPolicy(
              vo,
              {
                text: text || null,
                url: url || null,
                description,
                signatureValidityInDays: Number(days) || 0,
                aupRemindersInDays: remind,
              },
              before !== undefined && correction !== undefined,
            )
          }
        >
          <LongText name="text" label={p.text} value={before?.text ?? ''} rows={8} />
          <TextInput
            name="url"
            type="url"
            label={p.url}
            description={p.urlHint}
            defaultValue={before?.url ?? ''}
          />
          <TextInput name="description" label={p.description} maxLength={1000} />
          <NumberInput
            name="days"
            label={p.validity}
            description={p.validityHint}
            min={0}
            max={3650}
            allowDecimal={false}
            defaultValue={before?.validityDays ?? 365}
          />
          <TextInput
            name="remind"
            label={p.remind}
            description={p.remindHint}
            defaultValue={before?.reminderDays.join(',') ?? '30,7,1'}
            pattern="[0-9, ]*"
          />
          {before && <Checkbox name="correction" label={p.correction} description={p.correctionHint} />}
        </ChangeForm>
      </details>
    </Panel>
  )
}

function Versions({
  versions,
  inForce,
}: {
  versions: readonly PolicyVersion[]
  inForce: number | undefined
}) {
  const t = useMessages()
  const p = t.people.policies
  return (
    <Panel title={p.versions} flush>
      <Scroll label={p.versions}>
        <table>
          <thead>
            <tr>
              <th scope="col">{p.version}</th>
              <th scope="col">{p.published}</th>
              <th scope="col">{p.description}</th>
              <th scope="col">{p.terms}</th>
              <th scope="col" className="num">
                {p.signatures}
              </th>
            </tr>
          </thead>
          <tbody>
            {versions.map((one) => (
              <tr key={one.version}>
                <td>
                  {one.version}{' '}
                  {one.version === inForce ? (
                    <Mark tone="ok">{p.current}</Mark>
                  ) : (
                    one.withdrawnAt && <span className="quiet">{p.withdrawn}</span>
                  )}
                </td>
                <td>
                  <Time at={one.publishedAt} /> <span className="quiet">{one.publishedBy}</span>
                </td>
                <td className="break">{one.description}</td>
                <td className="break">
                  {one.url && (
                    <a href={one.url} rel="noreferrer noopener" target="_blank">
                      {one.url}
                    </a>
                  )}
                  {one.text && (
                    <details className="more">
                      <summary>{p.read}</summary>
                      <div className="terms">{one.text}</div>
                    </details>
                  )}
                </td>
                <td className="num" data-label={p.signatures}>
                  {count(one.signatures)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  )
}
