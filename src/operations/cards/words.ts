import type { Card, Entity, Finding } from '../detection/index.ts'

const called = ({ kind, name }: Entity): string => (kind === 'central' ? name : `${kind} ${name}`)

/** `jobs fail (n 40, failed 31)`: codes are words already; the console has them in its languages. */
export const describeFinding = ({ code, facts }: Pick<Finding, 'code' | 'facts'>): string => {
  const told = Object.entries(facts).map(([name, value]) => `${name} ${value}`)
  return told.length > 0 ? `${code} (${told.join(', ')})` : code
}

/** One line for lists, logs and mails. */
export function titleOf(card: Pick<Card, 'entity' | 'cause' | 'findings' | 'entities'>): string {
  const { entity, cause, findings, entities } = card
  if (!entity) return `${entities.length} places fell ill at about the same time`
  if (cause) {
    const { n, failed, of, sites } = cause
    const where = sites.length > 1 ? ` at ${sites.length} sites` : ''
    return `${called(entity)}: ${failed} of ${n} ${of} failed${where}`
  }
  const codes = [...new Set(findings.map(({ code }) => code))]
  const more = codes.length > 2 ? `, and ${codes.length - 2} more` : ''
  return `${called(entity)}: ${codes.slice(0, 2).join(', ')}${more}`
}
