// Lets plain Node read TypeScript, for threads and programs that tests start from the sources: types are taken off and
// nothing else happens. Preload it with --import.
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
