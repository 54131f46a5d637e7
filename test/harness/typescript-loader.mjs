// Lets plain Node (threads and programs that tests start from the sources) read TypeScript: types are taken off, nothing else.
import { registerHooks } from 'node:module'
