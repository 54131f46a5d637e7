/** `run_number=12 events>1000` as the filter keys of the data door; undefined when it cannot be read. */
export function parseConditions(text: string): Record<string, string | number> | undefined {
  const filter: Record<string, string | number> = {}
  for (const part of text.trim().split(/\s+/).filter(Boolean)) {
    const match = /^([A-Za-z_][\w.-]*)(<=|>=|!=|=|<|>)(.+)$/.exec(part)
    if (!match) return undefined
    const [, key = '', operator = '', value = ''] = match
    const suffix =
      { '=': '', '<': '.lt', '>': '.gt', '<=': '.lte', '>=': '.gte', '!=': '.ne' }[operator] ?? ''
    filter[`${key}${suffix}`] = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value
  }
  return filter
}
