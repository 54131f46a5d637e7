import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

const AFFECTS: Record<string, readonly string[]> = {
  rule: ['rules', 'now', 'data'],
  placement: ['rules', 'now'],
  transfer: ['transfers', 'now', 'rules'],
  replica: ['data', 'now'],
  job: ['jobs'],
  software: ['software'],
  production: ['productions'],
  raw: ['raw'],
  card: ['cards', 'now', 'shifts'],
  shift: ['shifts'],
  downtime: ['sites', 'now'],
}
const EVERYTHING = [...new Set(Object.values(AFFECTS).flat())]
const PAUSE_MS = 1000

/** Keeps what is on the screen true: one stream of events tells which questions to ask again, at most once a second. */
export function useLive(enabled: boolean): boolean {
  const client = useQueryClient()
  const [connected, setConnected] = useState(false)
  useEffect(() => {
    if (!enabled) return
    const stale = new Set<string>()
    let timer: number | undefined
    const source = new EventSource('/kumi/v1/events')
    const flush = () => {
      timer = undefined
      for (const key of stale) void client.invalidateQueries({ queryKey: [key] })
      stale.clear()
    }
    const later = (keys: readonly string[]) => {
      for (const key of keys) stale.add(key)
      timer ??= window.setTimeout(flush, PAUSE_MS)
    }
    source.onmessage = (message) => {
      const news = JSON.parse(message.data as string) as { kind: string }[]
      for (const { kind } of news) later(AFFECTS[kind.split('.')[0] ?? ''] ?? ['now', 'data'])
    }
    source.addEventListener('reload', () => later(EVERYTHING))
    source.onopen = () => setConnected(true)
    source.onerror = () => setConnected(false)
    return () => {
      window.clearTimeout(timer)
      source.close()
    }
  }, [client, enabled])
  return connected
}
