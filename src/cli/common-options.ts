import { setMaxListeners } from 'node:events'
import type { Command } from 'commander'
import { defineError } from '../kernel/errors.ts'
import type { ClientOptions } from './client/home.ts'

/** Options every command of a door takes. */
export interface SharedOptions extends ClientOptions {
  readonly json?: boolean
  readonly quiet?: boolean
}

export function withShared(command: Command): Command {
  return command
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'print results only, no progress')
    .option('--server <address>', 'server to talk to (default: $KUMI_SERVER, then the grid of the home)')
    .option('--home <directory>', 'home of the grid (default: $KUMI_HOME or ~/.kumi)')
}

/** Collects an option that may be given several times. */
export function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

export const badOption = defineError('invalid', 'bad_option')

/** The number that an option was given, of at most so many digits. */
export function whole(option: string, text: string, digits = 15): number {
  if (!/^\d+$/.test(text) || text.length > digits)
    throw badOption(`${option} needs a whole number, not "${text}".`)
  return Number(text)
}

/** Prints a result: as JSON when asked for, otherwise in words. */
export function show(options: SharedOptions, value: unknown, words: () => string): void {
  const text = options.json ? JSON.stringify(value) : words()
  if (text) process.stdout.write(`${text}\n`)
}

/** A signal of Ctrl-C: the first ends work in order, the second at once. */
export function interruption(): { signal: AbortSignal; end(): void } {
  const controller = new AbortController()
  // Every request of a parallel command listens to it.
  setMaxListeners(0, controller.signal)
  const stop = () => {
    process.stderr.write('\nFinishing what is begun; press Ctrl-C again to stop at once.\n')
    controller.abort(new Error('interrupted'))
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  return {
    signal: controller.signal,
    end: () => {
      process.removeListener('SIGINT', stop)
      process.removeListener('SIGTERM', stop)
    },
  }
}
