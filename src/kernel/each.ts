/** Runs `work` on every item, at most `width` at once. Failures are collected, not thrown. */
export async function eachOf<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<{ item: T; error: unknown }[]> {
  const failures: { item: T; error: unknown }[] = []
  let next = 0
  const lane = async () => {
    while (next < items.length) {
      const item = items[next++]!
      await work(item).catch((error: unknown) => failures.push({ item, error }))
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane))
  return failures
}
