import './jobs.css'
import { Button, NativeSelect, NumberInput, Textarea, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { CopyCommand } from '../common/parts.tsx'
import { type NewJob, submitJob } from '../doors/jobs.ts'
import { sitesQuery } from '../doors/sites.ts'
import { useMessages } from '../language/index.tsx'

const EMPTY = {
  ...{ name: '', script: '#!/bin/sh\n', words: '', inputs: '', perJob: '' as number | '', count: 1 },
  ...{ pattern: '', dataset: '', site: '', hours: 1 },
}

/** A script as one job or many. */
export function NewJobPage() {
  const t = useMessages()
  const navigate = useNavigate()
  const client = useQueryClient()
  const sites = useQuery(sitesQuery)
  const [form, setForm] = useState(EMPTY)
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const put = (change: Partial<typeof EMPTY>) => setForm({ ...form, ...change })
  const job = jobOf(form)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setProblem('')
    try {
      const ids = await submitJob(job)
      await client.invalidateQueries({ queryKey: ['jobs'] })
      if (ids.length === 1) await navigate({ to: '/jobs/$id', params: { id: String(ids[0]) } })
      else await navigate({ to: '/jobs', search: {} })
    } catch (error) {
      setProblem((error as Error).message)
      setBusy(false)
    }
  }
  return (
    <div style={{ maxWidth: 720 }}>
      <div className="head">
        <h1>{t.jobs.submit.title}</h1>
        <div className="act">
          <CopyCommand command={commandOf(job)} />
        </div>
      </div>
      <form className="panel stack" onSubmit={(event) => void submit(event)}>
        <p className="quiet flat">{t.jobs.submit.intro}</p>
        <TextInput
          label={t.jobs.name}
          value={form.name}
          onChange={(e) => put({ name: e.currentTarget.value })}
        />
        <Textarea
          label={t.jobs.submit.script}
          value={form.script}
          onChange={(e) => put({ script: e.currentTarget.value })}
          required
          autosize
          minRows={6}
          maxRows={24}
          spellCheck={false}
          styles={{ input: { fontFamily: 'ui-monospace, monospace' } }}
        />
        <TextInput
          label={t.jobs.submit.arguments}
          placeholder={t.jobs.submit.argumentsHint}
          value={form.words}
          onChange={(e) => put({ words: e.currentTarget.value })}
        />
        <Textarea
          label={t.jobs.submit.inputs}
          placeholder={t.jobs.submit.inputsHint}
          value={form.inputs}
          onChange={(e) => put({ inputs: e.currentTarget.value })}
          autosize
          minRows={2}
          maxRows={10}
        />
        <div className="form">
          <NumberInput
            className="grow"
            label={t.jobs.submit.perJob}
            placeholder={t.jobs.submit.perJobHint}
            min={1}
            value={form.perJob}
            onChange={(value) => put({ perJob: value === '' ? '' : Number(value) })}
          />
          <NumberInput
            label={t.jobs.submit.count}
            min={1}
            max={100_000}
            value={form.count}
            onChange={(value) => put({ count: Number(value) || 1 })}
          />
        </div>
        <div className="form">
          <TextInput
            className="grow"
            label={t.jobs.submit.pattern}
            placeholder={t.jobs.submit.patternHint}
            value={form.pattern}
            onChange={(e) => put({ pattern: e.currentTarget.value })}
          />
          <TextInput
            className="grow"
            label={t.jobs.submit.dataset}
            placeholder="scope:name"
            value={form.dataset}
            required={form.pattern !== ''}
            onChange={(e) => put({ dataset: e.currentTarget.value })}
          />
        </div>
        <div className="form">
          <NativeSelect
            className="grow"
            label={t.jobs.site}
            value={form.site}
            data={[
              { value: '', label: t.jobs.anySite },
              ...(sites.data ?? []).map(({ name }) => ({ value: name, label: name })),
            ]}
            onChange={(e) => put({ site: e.currentTarget.value })}
          />
          <NumberInput
            label={t.jobs.submit.hours}
            min={0.1}
            max={300}
            step={1}
            value={form.hours}
            onChange={(value) => put({ hours: Number(value) || 1 })}
          />
        </div>
        {problem && (
          <p className="error flat" role="alert">
            {problem}
          </p>
        )}
        <div>
          <Button type="submit" loading={busy}>
            {t.jobs.submit.send}
          </Button>
        </div>
      </form>
    </div>
  )
}

const split = (text: string, by: RegExp) =>
  text
    .split(by)
    .map((one) => one.trim())
    .filter(Boolean)

const jobOf = ({ words, inputs, perJob, ...rest }: typeof EMPTY): NewJob => ({
  ...rest,
  arguments: split(words, /\s+/),
  inputs: split(inputs, /[\s,]+/),
  perJob: perJob === '' ? undefined : perJob,
})

function commandOf(job: NewJob): string {
  const quoted = (text: string) =>
    /^[\w./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
  return [
    `kumi job submit ./${quoted(`${job.name || 'job'}.sh`)}`,
    ...job.inputs.map((name) => `--input ${quoted(name)}`),
    ...(job.perJob ? [`--per-job ${job.perJob}`] : []),
    ...(job.count > 1 ? [`--count ${job.count}`] : []),
    ...(job.pattern && job.dataset ? [`--output ${quoted(`${job.pattern}=${job.dataset}`)}`] : []),
    ...(job.site ? [`--site ${quoted(job.site)}`] : []),
    ...(job.hours === 1 ? [] : [`--time ${Math.round(job.hours * 3600)}`]),
    ...(job.arguments.length > 0 ? ['--', ...job.arguments.map(quoted)] : []),
  ].join(' ')
}
