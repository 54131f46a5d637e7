import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { CopyCommand, Pending } from '../common/parts.tsx'
import { jobScriptQuery } from '../doors/jobs.ts'
import { useMessages } from '../language/index.tsx'

/** A script that does here what the job did at its site; asked for only when somebody wants it. */
export function Script({ id }: { id: number }) {
  const t = useMessages()
  const [open, setOpen] = useState(false)
  const asked = useQuery({ ...jobScriptQuery(id), enabled: open })
  return (
    <section className="panel" aria-label={t.jobs.script.title}>
      <div className="row headrow">
        <h2>{t.jobs.script.title}</h2>
        {asked.data && open ? (
          <span className="moves flat">
            <CopyCommand command={asked.data} label={t.jobs.script.copy} />
            <CopyCommand command={`kumi job script ${id} > job-${id}.sh`} />
          </span>
        ) : (
          <Button size="xs" variant="default" onClick={() => setOpen(true)}>
            {t.jobs.script.show}
          </Button>
        )}
      </div>
      <p className="quiet flat">{t.jobs.script.about}</p>
      {open &&
        (asked.data ? (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable without a mouse
          <pre className="log" tabIndex={0}>
            {asked.data}
          </pre>
        ) : (
          <Pending of={asked} />
        ))}
    </section>
  )
}
