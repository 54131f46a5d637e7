/** What is wrong with the grid, and why: pure functions over rows. */
export { groupIntoCards } from './cards.ts'
export { detect, emptyMemory } from './detect.ts'
export { nextWorkingDay } from './escalation.ts'
export { guardExclusions } from './guard.ts'
export { localise, WINDOW_MS } from './localise.ts'
export { templateOf } from './templates.ts'
export * from './types.ts'
