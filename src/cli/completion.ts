import type { Command } from 'commander'

export type Shell = 'bash' | 'zsh' | 'fish'

export const shells: readonly Shell[] = ['bash', 'zsh', 'fish']

/** For each command path (`data put`), the words that may follow it. */
export function completionWords(program: Command): Map<string, string[]> {
  const words = new Map<string, string[]>()
  const visit = (command: Command, path: string) => {
    const flags = command.options.map((option) => option.long).filter((flag) => flag !== undefined)
    words.set(path, [...command.commands.map((child) => child.name()), ...flags, '--help'])
    for (const child of command.commands) visit(child, path ? `${path} ${child.name()}` : child.name())
  }
  visit(program, '')
  return words
}

/** The completion script of a shell, made from the command tree itself. */
export function completionScript(program: Command, shell: Shell): string {
  if (shell === 'fish') return fish(program)
  const words = completionWords(program)
  const paths = [...words.keys()].filter(Boolean).map((path) => path.replaceAll(' ', '/'))
  const cases = [...words].map(
    ([path, next]) => `    '${path.replaceAll(' ', '/')}') found='${next.join(' ')}' ;;`,
  )
  const find = `  local at='' found='' word
  for word in "\${before[@]}"; do
    case "$word" in -*) continue ;; esac
    case " ${paths.join(' ')} " in
      *" \${at:+$at/}$word "*) at="\${at:+$at/}$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac`
  if (shell === 'bash')
    return `_kumi() {
  local before=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
${find}
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kumi kumi
`
  return `#compdef kumi
_kumi() {
  local -a before
  before=("\${(@)words[2,CURRENT-1]}")
${find}
  compadd -- \${=found}
  _files
}
compdef _kumi kumi
`
}

function fish(program: Command): string {
  const lines = ['complete -c kumi -n __fish_use_subcommand -l help']
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const visit = (command: Command, path: readonly string[]) => {
    const inside = path.map((word) => `__fish_seen_subcommand_from ${word}`)
    for (const option of path.length > 0 ? command.options : [])
      if (option.long)
        lines.push(
          `complete -c kumi -n ${quote(inside.join('; and '))} -l ${option.long.slice(2)} -d ${quote(option.description)}`,
        )
    const verbs = command.commands.map((verb) => verb.name()).join(' ')
    const here = [...inside, `not __fish_seen_subcommand_from ${verbs}`].join('; and ')
    for (const verb of command.commands) {
      const condition = path.length > 0 ? quote(here) : '__fish_use_subcommand'
      lines.push(`complete -c kumi -f -n ${condition} -a ${verb.name()} -d ${quote(verb.description())}`)
      visit(verb, [...path, verb.name()])
    }
  }
  visit(program, [])
  return `${lines.join('\n')}\n`
}
