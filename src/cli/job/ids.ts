import { defineError } from '../../kernel/errors.ts'

const badId = defineError('invalid', 'bad_job')

/** Numbers of jobs: `17`, or `17-20` for several in a row. */
export function jobIds(texts: readonly string[]): number[] {
  return texts.flatMap((text) => {
    const parts = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(text)
    if (!parts) throw badId(`"${text}" is no job; write a number, or 17-20 for several.`)
    const [first, last] = [Number(parts[1]), Number(parts[2] ?? parts[1])]
    if (last < first || last - first >= 10_000) throw badId(`${text} is no range of at most 10,000 jobs.`)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
}
