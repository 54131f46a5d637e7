import type { PilotFile } from './batch-system.ts'

/** A pilot ends by its own clock; that of the batch system is for those that do not. */
export const MARGIN_SECONDS = 300
/** Told to end, a pilot gives its jobs so long. */
export const DRAIN_SECONDS = 20

/** What an offer has of something: at least `least`, whole. */
export const amountOf = (offer: PilotFile, key: string, least: number): number =>
  Math.max(least, Math.ceil(Number(offer[key] ?? 0)) || 0)
