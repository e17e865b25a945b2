import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { stopOnSignals } from '../../src/lib/stop.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function scene(graceMs = () => 10_000) {
  const events = new EventEmitter();
  const forced: number[] = [];
  const stop = stopOnSignals(events, { graceMs, force: (exitCode) => forced.push(exitCode) });
  return { events, forced, stop };
}

describe('stopOnSignals()', () => {
  it.each(['SIGTERM', 'SIGINT'])('is soft at the first %s, and hard after the grace time', (name) => {
    const { events, forced, stop } = scene();
    events.emit(name);
    expect(stop.soft.aborted).toBe(true);
    vi.advanceTimersByTime(9_999);
    expect(stop.hard.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(stop.hard.aborted).toBe(true);
    expect(forced).toEqual([]);
  });

  it.each([
    ['SIGTERM', 'SIGINT', 130],
    ['SIGINT', 'SIGTERM', 143],
    ['SIGTERM', 'SIGTERM', 143],
  ])('after %s forces the end at %s, with exit code %i', (first, second, exitCode) => {
    const { events, forced } = scene();
    events.emit(first);
    expect(forced).toEqual([]);
    vi.advanceTimersByTime(500);
    events.emit(second);
    expect(forced).toEqual([exitCode]);
  });

  it('takes what comes right after the first for its echo: a process group is told, and a parent passes it on', () => {
    const { events, forced, stop } = scene();
    events.emit('SIGTERM');
    events.emit('SIGTERM');
    vi.advanceTimersByTime(499);
    events.emit('SIGINT');
    expect(forced).toEqual([]);
    expect(stop.hard.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    events.emit('SIGINT');
    expect(forced).toEqual([130]);
  });

  it('takes what its starter passes on for what it was told itself, however late it comes', () => {
    const { events, forced, stop } = scene();
    events.emit('SIGTERM', 'SIGTERM', 15);
    vi.advanceTimersByTime(5_000);
    events.emit('SIGTERM', 'SIGTERM', 0);
    expect(stop.soft.aborted).toBe(true);
    expect(forced).toEqual([]);
    events.emit('SIGTERM', 'SIGTERM', 0);
    expect(forced).toEqual([143]);
  });

  it('asks for the grace time when it is needed: the config may have been reloaded', () => {
    let graceMs = 1;
    const { events, stop } = scene(() => graceMs);
    graceMs = 5_000;
    events.emit('SIGTERM');
    vi.advanceTimersByTime(4_999);
    expect(stop.hard.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(stop.hard.aborted).toBe(true);
  });

  it('does nothing at other events', () => {
    const { events, stop } = scene();
    events.emit('SIGHUP');
    expect(stop.soft.aborted).toBe(false);
  });

  it('leaves no listener behind', () => {
    const { events, stop } = scene();
    expect(events.eventNames()).toHaveLength(2);
    stop.dispose();
    expect(events.eventNames()).toEqual([]);
  });

  it('does not hold the process for its grace time', () => {
    vi.useRealTimers();
    const { events } = scene();
    const held = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = held();
    events.emit('SIGTERM');
    expect(held()).toBe(before);
  });
});
