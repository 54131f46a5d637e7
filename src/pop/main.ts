import { readGatewayConfig } from './config.ts'
import { startGateway } from './gateway.ts'

const at = process.argv.indexOf('--config')
const file = at < 0 ? undefined : process.argv[at + 1]
if (!file) {
  process.stderr.write('Usage: node main.js --config <gateway.json>\n')
  process.exit(2)
}
try {
  const gateway = await startGateway(readGatewayConfig(file))
  const stop = (): void => void gateway.close().finally(() => process.exit(0))
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  // Started by a supervisor over an ipc channel: when the supervisor is gone, however it ended, so is its gateway.
  process.once('disconnect', stop)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exit(1)
}
