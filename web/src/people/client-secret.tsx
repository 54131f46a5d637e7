import { Button } from '@mantine/core'
import { useState } from 'react'
import type { Secret } from '../doors/clients.ts'
import { useMessages } from '../language/index.tsx'

/** A secret, which the grid tells once and keeps only as a digest. */
export function SecretOnce({ secret }: { secret: Secret }) {
  const t = useMessages()
  const c = t.people.clients
  const [copied, setCopied] = useState(false)
  if (!secret.client_secret) return <p>{c.noSecret}</p>
  const copy = async () => {
    await navigator.clipboard.writeText(secret.client_secret ?? '')
    setCopied(true)
  }
  return (
    <div role="status">
      <p>{c.once}</p>
      <dl className="facts">
        <dt>{c.id}</dt>
        <dd className="mono">{secret.client_id}</dd>
        <dt>{c.secret}</dt>
        <dd className="mono" data-secret>
          {secret.client_secret}
        </dd>
      </dl>
      <div className="moves">
        <Button size="xs" variant="default" onClick={() => void copy()} aria-live="polite">
          {copied ? t.app.copied : c.copy}
        </Button>
      </div>
    </div>
  )
}
