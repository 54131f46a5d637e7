import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { CopyCommand, Empty, Pending, RuleMark, Strip } from '../common/parts.tsx'
import { type RuleState, rulesQuery } from '../doors/kumi.ts'
import { useMessages } from '../language/index.tsx'
import { unstick } from './unstick.ts'

const STATES: readonly RuleState[] = ['STUCK', 'REPLICATING', 'OK', 'SUSPENDED']

export function RulesPage() {
  const t = useMessages()
  const { state } = useSearch({ from: '/rules' })
  const asked = useQuery(rulesQuery(state))
  return (
    <>
      <div className="head">
        <h1>{t.rules.title}</h1>
        <div className="act">
          <CopyCommand command="kumi rule ls" />
          <Button size="xs" component={Link} to="/rules/new">
            {t.rules.new}
          </Button>
        </div>
      </div>
      <div className="tabs">
        <Link to="/rules" search={{}} data-on={!state} aria-current={!state ? 'true' : undefined}>
          {t.rules.all}
        </Link>
        {STATES.map((one) => (
          <Link
            key={one}
            to="/rules"
            search={{ state: one }}
            data-on={state === one}
            aria-current={state === one ? 'true' : undefined}
          >
            {t.rules.state[one]}
          </Link>
        ))}
      </div>
      <div className="panel flush">
        {!asked.data ? (
          <Pending of={asked} />
        ) : asked.data.length === 0 ? (
          <Empty>{t.rules.none}</Empty>
        ) : (
          asked.data.map((rule) => (
            <div className="rule" key={rule.id}>
              <div>
                <div className="row" style={{ justifyContent: 'flex-start' }}>
                  <RuleMark state={rule.state} />
                  <Link to="/rules/$id" params={{ id: rule.id }} className="break">
                    {rule.scope}:{rule.name}
                  </Link>
                  <span className="quiet">
                    {t.rules.copies(rule.copies, rule.expression)} · {rule.account}
                  </span>
                </div>
                {rule.state !== 'OK' && rule.reason && (
                  <div>
                    <span className="error">{rule.reason}</span>{' '}
                    <span className="quiet">{t.rules.unstick[unstick(rule.reason)]}</span>
                  </div>
                )}
              </div>
              <Strip {...rule} />
            </div>
          ))
        )}
      </div>
    </>
  )
}
