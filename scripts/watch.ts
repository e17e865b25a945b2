import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Sample } from './soak/verdict.ts';

/** What is known of a running relay at one moment. */
export interface Look extends Omit<Sample, 'atMs' | 'latencyMs'> {
  /** Records that all sinks were given and confirmed. */
  readonly delivered: number;
  readonly pending: number;
  readonly failures: number;
}

/** A relay, as it is seen from outside. */
export interface Watched {
  readonly pid: number;
  /** Where its metrics are. */
  readonly metrics: string;
  /** Its state directory. */
  readonly state: string;
}

/**
 * Looks at a relay: what the kernel has of it, what it says itself, and its files.
 *
 * @param sink whose pending records count; left out: those of all
 */
export async function lookAt({ pid, metrics, state }: Watched, sink?: string): Promise<Look> {
  const text = await (await fetch(metrics)).text();
  const sum = (name: string) => sumOf(text, name);
  return {
    rssBytes: memoryOf(pid, 'VmRSS'),
    files: readdirSync(`/proc/${pid}/fd`).length,
    heapBytes: sum('nodejs_heap_size_used_bytes'),
    active: sum('nodejs_active_resources'),
    journalBytes: statSync(`${state}/journal.db`).size,
    logBytes: statSync(`${state}/journal.db-wal`).size,
    delivered: sumOf(text, 'defender_relay_sink_records_total', 'result="delivered"'),
    pending: sumOf(text, 'defender_relay_sink_pending_records', sink && `sink="${sink}"`),
    failures: sum('defender_relay_sink_failures_total'),
  };
}

/** @param what `VmRSS`: resident memory; `VmHWM`: most that it ever was */
export function memoryOf(pid: number, what: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const [, kilobytes] = new RegExp(`^${what}:\\s+(\\d+) kB$`, 'm').exec(status) ?? [];
  return Number(kilobytes) * 1024;
}

/** Sum of all series of that name, or of those with a label. */
function sumOf(text: string, name: string, label = ''): number {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length] ?? '') && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** Ticks of the kernel's account of processor time, on every Linux. */
const TICKS_PER_SECOND = 100;

/** Milliseconds that the processor has worked for it, in all its threads. */
export function cpuOf(pid: number): number {
  // Its name stands in parentheses, and may have some itself.
  const [, rest = ''] = /\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
  const fields = rest.split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}
