import { performance } from 'node:perf_hooks';

/** Milliseconds since 1970, twice. */
export interface Clock {
  /** What the machine says: for people. */
  wall(): number;
  /** Never goes back and moves no faster than real time: for retention (S9). */
  steady(): number;
}

export function systemClock(): Clock {
  const startedMs = Date.now() - performance.now();
  return { wall: Date.now, steady: () => startedMs + performance.now() };
}
