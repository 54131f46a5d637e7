/** The grid in one home directory: what `kumi up`, `kumi start` and `kumi down` are made of. */
export { type GridFacts, defaultHome, type Home, homeAt, readGrid, requireGrid, secretFile, writeWhole } from './home.ts'
export { DEFAULT_PORT } from './ports.ts'
export { type PrepareOptions, prepareHome } from './prepare-home.ts'
export { isAlive } from './processes.ts'
export { type PartStatus, readPid, supervise, type Supervisor } from './supervisor.ts'
