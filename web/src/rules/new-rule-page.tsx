import { Button, NumberInput, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { CopyCommand } from '../common/parts.tsx'
import { createRule, storagesQuery } from '../doors/rucio.ts'
import { useMessages } from '../language/index.tsx'

const DAY_S = 86_400

export function NewRulePage() {
  const t = useMessages()
  const { did: given = '' } = useSearch({ from: '/rules/new' })
  const navigate = useNavigate()
  const client = useQueryClient()
  const [did, setDid] = useState(given)
  const [expression, setExpression] = useState('')
  const [copies, setCopies] = useState(1)
  const [days, setDays] = useState<number | ''>('')
  const [comment, setComment] = useState('')
  const [problem, setProblem] = useState('')
  const [settled] = useDebouncedValue(expression.trim(), 300)
  const preview = useQuery(storagesQuery(settled))
  const [, scope = '', name = ''] = /^([^:\s]+):(\S+)$/.exec(did.trim()) ?? []
  const ready = name !== '' && settled !== '' && (preview.data?.length ?? 0) >= copies
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    try {
      const lifetimeSeconds = days === '' ? null : days * DAY_S
      const id = await createRule({
        scope,
        name,
        expression: settled,
        copies,
        lifetimeSeconds,
        comment: comment || null,
      })
      await client.invalidateQueries({ queryKey: ['rules'] })
      await navigate({ to: '/rules/$id', params: { id } })
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  const lifetime = days === '' ? '' : ` --lifetime ${days * DAY_S}`
  return (
    <div style={{ maxWidth: 640 }}>
      <div className="head">
        <h1>{t.rules.new}</h1>
        <div className="act">
          <CopyCommand
            command={`rucio rule add ${did} --copies ${copies} --rses "${expression}"${lifetime}`}
          />
        </div>
      </div>
      <form className="panel" onSubmit={(event) => void submit(event)}>
        <TextInput
          label={t.rules.did}
          placeholder={t.rules.didHint}
          value={did}
          onChange={(e) => setDid(e.currentTarget.value)}
          required
          mb="sm"
        />
        <TextInput
          label={t.rules.expression}
          placeholder={t.rules.expressionHint}
          value={expression}
          onChange={(e) => setExpression(e.currentTarget.value)}
          required
          mb={4}
        />
        <div aria-live="polite" style={{ minHeight: 58 }}>
          {settled === '' ? (
            <span className="quiet">{t.rules.previewEmpty}</span>
          ) : preview.error ? (
            <span className="error">{preview.error.message}</span>
          ) : preview.data ? (
            <>
              <span className="quiet">{t.rules.matching(preview.data.length)}</span>{' '}
              {preview.data.length < copies && <span className="error">{t.rules.tooFew(copies)}</span>}
              <ul className="chips">
                {preview.data.slice(0, 30).map((rse) => (
                  <li key={rse}>{rse}</li>
                ))}
              </ul>
            </>
          ) : (
            <span className="quiet">{t.app.loading}</span>
          )}
        </div>
        <div className="form">
          <NumberInput
            label={t.rules.count}
            min={1}
            max={100}
            value={copies}
            onChange={(value) => setCopies(Number(value) || 1)}
            w={120}
          />
          <NumberInput
            className="grow"
            label={t.rules.lifetime}
            placeholder={t.rules.lifetimeHint}
            min={1}
            value={days}
            onChange={(value) => setDays(value === '' ? '' : Number(value))}
          />
        </div>
        <TextInput
          label={t.rules.comment}
          value={comment}
          onChange={(e) => setComment(e.currentTarget.value)}
          my="sm"
        />
        {problem && (
          <p className="error" role="alert">
            {problem}
          </p>
        )}
        <Button type="submit" disabled={!ready}>
          {t.rules.create}
        </Button>
      </form>
    </div>
  )
}
