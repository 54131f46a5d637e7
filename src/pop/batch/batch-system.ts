/** Where pilots are started: the processes of this machine, or a batch system behind it. */
export interface BatchSystem {
  /**
   * Starts pilots, each once however often it is asked: a stamp that is known is left as it is, also after a restart of
   * this program. `prepare` gives the content of the pilot's configuration and is asked only for those that are new.
   */
  submit(stamps: readonly string[], prepare: (stamp: string) => Promise<PilotFile>): Promise<void>
  /** Every pilot that was submitted and not forgotten. */
  list(): Promise<BatchPilot[]>
  /** Gives pilots that wait a new configuration: what the first one said of tokens does not hold for ever. */
  renew(stamps: readonly string[], prepare: (stamp: string) => Promise<PilotFile>): Promise<void>
  /** Asks pilots to end; those that do not are ended after `graceMs`. */
  cancel(stamps: readonly string[], graceMs: number): Promise<void>
  /** Forgets pilots that are over, with all they left behind. */
  forget(stamps: readonly string[]): Promise<void>
}

/** `pilot.json` but for the directory, which is the batch system's to choose. */
export type PilotFile = Readonly<Record<string, unknown>>

export interface BatchPilot {
  readonly stamp: string
  readonly state: 'Waiting' | 'Running' | 'Done' | 'Failed'
  readonly reason: string
  /** Its name in the batch system. */
  readonly reference: string | null
}
