import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createLogger } from '../kernel/log.ts'
import { systemClock } from '../kernel/ports.ts'
import { readPilotConfig } from './config.ts'
import { startPilot } from './pilot.ts'

const at = process.argv.indexOf('--config')
const file = at < 0 ? undefined : process.argv[at + 1]
if (!file) {
  process.stderr.write('Usage: node main.js --config <pilot.json>\n')
  process.exit(2)
}
try {
  const config = readPilotConfig(file)
  mkdirSync(config.directory, { recursive: true, mode: 0o711 })
  const log = createLogger({ name: `pilot-${config.stamp}`, file: join(config.directory, 'pilot.log') })
  const pilot = startPilot(config, { clock: systemClock, log })
  process.on('SIGTERM', pilot.stop)
  process.on('SIGINT', pilot.stop)
  await pilot.ended
  process.exit(0)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}
