const withValue: Readonly<Record<string, string>> = { '--home': 'KUMI_HOME', '--server': 'KUMI_SERVER' }
const plain = ['--json', '--quiet', '-q']

export interface CommandLine {
  readonly noun: string | undefined
  readonly words: readonly string[]
  /** Settings that stood before the command. */
  readonly environment: Readonly<Record<string, string>>
}

/** Common options may also stand before the command; here they move to where the commands read them. */
export function readCommandLine(words: readonly string[]): CommandLine {
  const environment: Record<string, string> = {}
  const moved: string[] = []
  let i = 0
  for (; i < words.length; i++) {
    const [option, inline] = words[i]!.split(/=(.*)/s) as [string, string?]
    if (withValue[option] && (inline ?? words[i + 1]) !== undefined)
      environment[withValue[option]] = inline ?? words[++i]!
    else if (plain.includes(option)) moved.push(option)
    else break
  }
  const rest = words.slice(i)
  const noun = rest[0]?.startsWith('-') ? undefined : rest[0]
  const end = rest.indexOf('--')
  const placed = end < 0 ? [...rest, ...moved] : [...rest.slice(0, end), ...moved, ...rest.slice(end)]
  return { noun, words: placed, environment }
}
