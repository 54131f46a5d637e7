import { parseArgs } from 'node:util'
import { catalogueBenchmark } from './catalogue.ts'

const help = `npm run bench -- catalogue [--files N]

  catalogue   registration, listing and rules through the Rucio door, N files with two replicas each (default 100000)

Prints one JSON object. Close other programs first; figures are wall and CPU time of this machine.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { files: { type: 'string' }, help: { type: 'boolean' } },
})
if (values.help || positionals[0] !== 'catalogue') {
  console.log(help)
  process.exit(values.help ? 0 : 2)
}
console.log(JSON.stringify(await catalogueBenchmark(Number(values.files ?? 100_000)), null, 2))
process.exit(0)
