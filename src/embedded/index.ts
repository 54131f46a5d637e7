/** The grid in one home directory: what `kumi up`, `kumi start` and `kumi down` are made of. */
export {
  defaultHome,
  type GridFacts,
  type Home,
  homeAt,
  readGrid,
  requireGrid,
  secretFile,
  writeWhole,
} from './home.ts'
export { DEFAULT_PORT, vomsPortOf } from './ports.ts'
export { type PrepareOptions, prepareHome } from './prepare-home.ts'
export { isAlive } from './processes.ts'
export { type PartStatus, readPid, type Supervisor, supervise } from './supervisor.ts'
export { ensureVomsAuthority } from './voms-authority.ts'
