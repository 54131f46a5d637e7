import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
/** What the first one finds is given back by the second. */
function collectGarbage(): void {
  collect()
  collect()
}

/**
 * How much more memory buffers take while something is done, in this process, of which not more than `most` may be held.
 * What seems more may be waste: that is collected before it counts, until it is clear that it is not.
 */
export async function heldDuring(most: number, work: () => Promise<unknown>): Promise<number> {
  collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  const more = () => process.memoryUsage().arrayBuffers - before
  let held = 0
  const watch = setInterval(() => {
    if (more() > most && held <= most) collectGarbage()
    held = Math.max(held, more())
  }, 5)
  await work().finally(() => clearInterval(watch))
  return held
}
