// The steps as a process that is killed:
//   node --import ./typescript-loader.mjs software-steps-program.ts DATABASE DIRECTORY STEP HOURS WORK LETTER
// It ends with "done N" when it got to its end, where N is the number of steps there are.
import { runSteps } from './software-steps.ts'

const [url, directory, stopAt, hours, work, letter] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  'publish' | 'approve',
  string,
]
const { done } = runSteps({
  ...{ url, directory, work, letter, stopAt: Number(stopAt), hours: Number(hours) },
  die: () => process.kill(process.pid, 'SIGKILL'),
})
process.stdout.write(`done ${await done}\n`)
