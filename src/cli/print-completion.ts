import type { Command } from 'commander'
import { defineError } from '../kernel/errors.ts'
import { completionScript, type Shell, shells } from './completion.ts'

const unknownShell = defineError('invalid', 'unknown_shell')

export async function printCompletion(shell: string, tree: () => Promise<Command>): Promise<void> {
  if (!shells.includes(shell as Shell))
    throw unknownShell(`There is no completion for "${shell}"; there is one for ${shells.join(', ')}.`)
  process.stdout.write(completionScript(await tree(), shell as Shell))
}
