import { parseArgs } from 'node:util'
import { catalogueBenchmark } from './catalogue.ts'
import { MONTAGE_FILES } from './file-set.ts'
import { transferBenchmark } from './transfers.ts'

const help = `npm run bench -- catalogue [--files N]
npm run bench -- transfers [--files N] [--gigabytes N]

  catalogue   registration, listing and rules through the Rucio door, N files with two replicas each (default 100000)
  transfers   from gateway to gateway by a rule: one file of N gigabytes (default 1), and N of the ${MONTAGE_FILES} files
              of 292 bytes to 27 MB, 14 GB together (default all of them); beside curl and rclone from nginx, and scp

Prints one JSON object. Close other programs first; figures are wall and CPU time of this machine.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { files: { type: 'string' }, gigabytes: { type: 'string' }, help: { type: 'boolean' } },
})
const number = (text: string | undefined, otherwise: number): number => {
  const value = Number(text ?? otherwise)
  if (value > 0) return value
  console.error(`"${text}" is not a number of anything.`)
  process.exit(2)
}
const benchmarks: Readonly<Record<string, () => Promise<unknown>>> = {
  catalogue: () => catalogueBenchmark(number(values.files, 100_000)),
  transfers: () =>
    transferBenchmark({
      files: number(values.files, MONTAGE_FILES),
      gigabytes: number(values.gigabytes, 1),
      say: (text) => console.error(text),
    }),
}
const work = benchmarks[positionals[0] ?? '']
if (values.help || !work) {
  console.log(help)
  process.exit(values.help ? 0 : 2)
}
console.log(JSON.stringify(await work(), null, 2))
process.exit(0)
