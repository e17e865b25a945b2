import { readdirSync, readFileSync } from 'node:fs';
import type { Sample } from './verdict.ts';

/** What is known of a running relay at one moment. */
export interface Look extends Omit<Sample, 'atMs'> {
  /** Records that the sink was given and confirmed. */
  readonly delivered: number;
  readonly pending: number;
  readonly failures: number;
}

/** Looks at a relay from outside: what the kernel has of it, and what it says itself. */
export async function lookAt(pid: number, metricsUrl: string): Promise<Look> {
  const text = await (await fetch(metricsUrl)).text();
  const sum = (name: string) => sumOf(text, name);
  return {
    rssBytes: residentBytes(pid),
    files: readdirSync(`/proc/${pid}/fd`).length,
    heapBytes: sum('nodejs_heap_size_used_bytes'),
    active: sum('nodejs_active_resources'),
    delivered: sum('defender_relay_sink_records_total{sink="siem",result="delivered"}'),
    pending: sum('defender_relay_sink_pending_records'),
    failures: sum('defender_relay_sink_failures_total'),
  };
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** Sum of all series that begin so. */
function sumOf(text: string, name: string): number {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(name) && /[ {]/.test(line[name.length] ?? ''));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
