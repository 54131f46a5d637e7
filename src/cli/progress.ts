import { bytesText, spanText } from './terminal.ts'

export interface Progress {
  /** Counts bytes moved and, when a file is finished, the file. */
  add(bytes: number, files?: number): void
  /** A line about one fact; it stays on the screen. */
  say(text: string): void
  done(): void
}

interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const REDRAW_MS = 100
const LINE_MS = 5000

/** One live line on a terminal; a plain line every five seconds elsewhere; nothing when quiet. */
export function showProgress(
  what: string,
  total: { bytes: number; files: number } | undefined,
  { quiet = false, screen = process.stderr as Screen, now = () => performance.now() } = {},
): Progress {
  const started = now()
  let bytes = 0
  let files = 0
  let shownAt = -Infinity
  const live = screen.isTTY === true && !quiet
  const clear = () => live && screen.write('\r\x1b[K')
  const draw = (force = false) => {
    const at = now()
    if (quiet || (!force && at - shownAt < (live ? REDRAW_MS : LINE_MS))) return
    shownAt = at
    const line = progressLine(what, { bytes, files }, total, (at - started) / 1000, screen.columns ?? 80)
    if (live) screen.write(`\r\x1b[K${line}`)
    else screen.write(`${line.trimEnd()}\n`)
  }
  if (!live) shownAt = now()
  return {
    add(more, finished = 0) {
      bytes += more
      files += finished
      draw()
    },
    say(text) {
      if (quiet) return
      clear()
      screen.write(`${text}\n`)
      if (live) draw(true)
    },
    done: () => void clear(),
  }
}

/** The line itself: what, bar, share, files, bytes, rate, time left as far as the total is known; never longer than `columns`. */
export function progressLine(
  what: string,
  done: { bytes: number; files: number },
  total: { bytes: number; files: number } | undefined,
  seconds: number,
  columns: number,
): string {
  const rate = seconds > 0 ? done.bytes / seconds : 0
  const fitting = (text: string) => text.slice(0, Math.max(0, columns - 1))
  if (!total) return fitting(`${what} ${done.files} files  ${bytesText(done.bytes)}  ${bytesText(rate)}/s`)
  const share = total.bytes > 0 ? Math.min(1, done.bytes / total.bytes) : 1
  const left = rate > 0 ? spanText((total.bytes - done.bytes) / rate) : '?'
  const facts = `${Math.floor(share * 100)}%  ${done.files}/${total.files} files  ${bytesText(done.bytes)}  ${bytesText(rate)}/s  ${left} left`
  const room = Math.min(24, columns - what.length - facts.length - 6)
  if (room < 4) return fitting(`${what} ${facts}`)
  const filled = Math.round(share * room)
  return `${what} [${'#'.repeat(filled)}${'.'.repeat(room - filled)}] ${facts}`
}
