/** Work that takes long, as the one who does it sees those who wait for it. */
export interface Task<Progress> {
  /**
   * Aborted when nobody waits for it any more, or the relay stops. The work then ends soon, in good order, and its
   * result says how far it came.
   */
  readonly signal: AbortSignal;
  /** Tells how far it has come. Never throws, never waits; what comes faster than it is read is left out. */
  progress(step: Progress): void;
}
