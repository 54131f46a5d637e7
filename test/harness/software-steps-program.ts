// The steps as a process that is killed:
//   node --import ./typescript-loader.mjs software-steps-program.ts DATABASE DIRECTORY STEP HOURS LETTER
// It ends with "done N" when it got to its end, where N is the number of steps there are.
import { runSteps } from './software-steps.ts'

const [url, directory, stopAt, hours, letter] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const { done } = runSteps({
  ...{ url, directory, letter, stopAt: Number(stopAt), hours: Number(hours) },
  die: () => process.kill(process.pid, 'SIGKILL'),
})
process.stdout.write(`done ${await done}\n`)
