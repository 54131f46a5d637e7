import { useMessages } from '../language/index.tsx'

/** Why somebody may not go on, what to do, and what the grid says about it beyond that. */
export function StandingNotice({ code, hint, detail }: { code: string; hint?: string; detail?: string }) {
  const { standing } = useMessages().joining
  const words = code in standing ? standing[code as keyof typeof standing] : undefined
  return (
    <div className="notice" role="alert">
      {words && <strong>{words.title}</strong>}
      {words && <p>{words.todo}</p>}
      {hint && <p>{hint}</p>}
      {detail && (
        <p className="quiet" lang="en">
          {detail}
        </p>
      )}
    </div>
  )
}
