import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { bytes } from '../common/format.ts'
import { CopyCommand, Mark, Pending, RuleMark, Scroll, Strip, Time } from '../common/parts.tsx'
import { type RuleExplanation, ruleQuery } from '../doors/kumi.ts'
import { deleteRule } from '../doors/rucio.ts'
import { useMessages } from '../language/index.tsx'
import { unstick } from './unstick.ts'

export function RulePage() {
  const t = useMessages()
  const { id } = useParams({ from: '/rules/$id' })
  const asked = useQuery(ruleQuery(id))
  if (!asked.data) return <Pending of={asked} />
  const { rule, placements, gaps } = asked.data
  // The rule of a container places its datasets one by one.
  const inside = placements.some((one) => one.name !== rule.name || one.scope !== rule.scope)
  return (
    <>
      <div className="head">
        <h1>
          <Link to="/data/$scope/$name" params={{ scope: rule.scope, name: rule.name }}>
            {rule.scope}:{rule.name}
          </Link>
        </h1>
        <RuleMark state={rule.state} />
        <div className="act">
          <CopyCommand command={`kumi rule explain ${id}`} />
          <Delete id={id} />
        </div>
      </div>
      <div className="halves">
        <section className="panel">
          <h2>{t.rules.copies(rule.copies, rule.expression)}</h2>
          <Strip {...rule} />
          <dl className="facts" style={{ marginTop: 12 }}>
            <dt>{t.rules.owner}</dt>
            <dd>{rule.account}</dd>
            <dt>{t.rules.created}</dt>
            <dd>
              <Time at={rule.createdAt} />
            </dd>
            <dt>{t.rules.expires}</dt>
            <dd>{rule.expiresAt ? <Time at={rule.expiresAt} /> : t.rules.never}</dd>
            {rule.comments && (
              <>
                <dt>{t.rules.comment}</dt>
                <dd>{rule.comments}</dd>
              </>
            )}
          </dl>
        </section>
        <Why explanation={asked.data} />
      </div>
      {gaps.length > 0 && (
        <section className="panel flush">
          <h2>{t.rules.gaps}</h2>
          <Scroll label={t.rules.gaps}>
            <table>
              <tbody>
                {gaps.map((gap) => (
                  <tr key={`${gap.scope}:${gap.name}@${gap.storage}`}>
                    <td className="break">
                      <Link to="/data/$scope/$name" params={{ scope: gap.scope, name: gap.name }}>
                        {gap.name}
                      </Link>{' '}
                      <span className="quiet">{bytes(gap.bytes)}</span>
                    </td>
                    <td>→ {gap.storage}</td>
                    <td>
                      <Mark
                        tone={gap.state === 'failed' ? 'down' : gap.state === 'moving' ? 'moving' : 'unknown'}
                      >
                        {t.rules.gap[gap.state]}
                      </Mark>
                    </td>
                    <td className="break">
                      {gap.error && (
                        <span className={gap.state === 'failed' ? 'error' : 'quiet'}>{gap.error}</span>
                      )}{' '}
                      <span className="quiet">
                        {gap.attempts > 0 && t.rules.attempts(gap.attempts)}
                        {gap.state === 'failed' && (
                          <>
                            , {t.rules.nextTry} <Time at={gap.nextTry} />
                          </>
                        )}
                      </span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </section>
      )}
      {placements.length > 0 && (
        <section className="panel flush">
          <h2>{t.rules.placements}</h2>
          <Scroll label={t.rules.placements}>
            <table>
              <tbody>
                {placements.map((one) => (
                  <tr key={`${one.scope}:${one.name}@${one.storage}`}>
                    {inside && (
                      <td className="break">
                        <Link to="/data/$scope/$name" params={{ scope: one.scope, name: one.name }}>
                          {one.scope}:{one.name}
                        </Link>
                      </td>
                    )}
                    <td>
                      <b>{one.storage}</b>
                    </td>
                    <td>
                      {one.missing > 0 ? (
                        <Mark tone="degraded">{t.data.partial}</Mark>
                      ) : (
                        <Mark tone="ok">{t.data.complete}</Mark>
                      )}
                    </td>
                    <td className="num">{t.data.of(one.files - one.missing, one.files)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </section>
      )}
    </>
  )
}

function Why({ explanation: { rule, reasons } }: { explanation: RuleExplanation }) {
  const t = useMessages()
  const lines =
    reasons.length > 0 || !rule.reason ? reasons : [{ message: rule.reason, count: 0, storages: [] }]
  return (
    <section className="panel">
      <h2>{rule.state === 'OK' ? t.rules.finished : t.rules.why}</h2>
      {lines.length === 0 ? (
        <Mark tone={rule.state === 'OK' ? 'ok' : 'moving'}>
          {rule.state === 'OK' ? t.rules.fine : t.rules.working}
        </Mark>
      ) : (
        <ul className="sitelist">
          {lines.map((reason) => (
            <li key={reason.message}>
              <div className="error">{reason.message}</div>
              {reason.count > 0 && (
                <div className="quiet">
                  {t.rules.times(reason.count)} → {reason.storages.join(', ')}
                </div>
              )}
              <div>{t.rules.unstick[unstick(reason.message)]}</div>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Delete({ id }: { id: string }) {
  const t = useMessages()
  const client = useQueryClient()
  const navigate = useNavigate()
  const [sure, setSure] = useState(false)
  const [problem, setProblem] = useState('')
  const remove = async () => {
    try {
      await deleteRule(id.replaceAll('-', ''))
      await client.invalidateQueries({ queryKey: ['rules'] })
      await navigate({ to: '/rules', search: {} })
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  if (!sure)
    return (
      <Button size="xs" variant="default" onClick={() => setSure(true)}>
        {t.rules.delete}
      </Button>
    )
  return (
    <span role="alertdialog" aria-label={t.rules.delete}>
      {t.rules.deleteSure} {problem && <span className="error">{problem}</span>}{' '}
      <Button size="xs" color="red" onClick={() => void remove()}>
        {t.rules.delete}
      </Button>{' '}
      <Button size="xs" variant="default" onClick={() => setSure(false)}>
        {t.rules.cancel}
      </Button>
    </span>
  )
}
