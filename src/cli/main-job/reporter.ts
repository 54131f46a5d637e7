import { secondsText } from '../terminal.ts'

export interface PhaseTime {
  readonly name: string
  readonly seconds: number
}

/** Live progress of the main job: a line that moves on a terminal, a line per phase and step otherwise. */
export interface Reporter {
  /** Runs one phase; its `progress` replaces the moving line. */
  phase<T>(name: string, work: (progress: (text: string) => void) => Promise<T>): Promise<T>
  note(text: string): void
  readonly times: readonly PhaseTime[]
}

const QUIET_MS = 2_000

export function createReporter(out: NodeJS.WriteStream): Reporter {
  const times: PhaseTime[] = []
  const moving = out.isTTY === true
  let lastPlain = 0
  const show = (name: string, text: string): void => {
    if (moving) {
      out.write(`\r\x1b[2K  ${name}: ${text}`.slice(0, (out.columns ?? 100) + 5))
    } else if (Date.now() - lastPlain > QUIET_MS) {
      lastPlain = Date.now()
      out.write(`  ${name}: ${text}\n`)
    }
  }
  return {
    times,
    note: (text) => out.write(`${moving ? '\r\x1b[2K' : ''}    ${text}\n`),
    async phase(name, work) {
      const start = Date.now()
      lastPlain = start
      if (moving) out.write(`  ${name} …`)
      const result = await work((text) => show(name, text))
      const took = Date.now() - start
      times.push({ name, seconds: took / 1000 })
      out.write(`${moving ? '\r\x1b[2K' : ''}  ✓ ${name} (${secondsText(took)})\n`)
      return result
    },
  }
}
