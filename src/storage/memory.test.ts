import { driverContract } from './driver.contract.ts'
import { memoryDriver } from './memory.ts'

driverContract('memory', async () => memoryDriver())
