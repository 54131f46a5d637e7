/** Which advice fits an error sentence of a rule or a transfer. */
export function unstick(reason: string): 'retry' | 'site' | 'source' | 'space' | 'expression' {
  if (/no (readable )?(source|copy|replica)/i.test(reason)) return 'source'
  if (/space|quota|full|ENOSPC|507/i.test(reason)) return 'space'
  if (/expression|no (RSE|storage)|not enough|fewer/i.test(reason)) return 'expression'
  if (/refused|reached|unreachable|timed? ?out|ECONN|down|connect/i.test(reason)) return 'site'
  return 'retry'
}
