import type { ReplayResult } from '../../src/core/replay.ts';

/** What a replay came to that found nothing; a test names only what it is about. */
export function aReplayResult(overrides: Partial<ReplayResult> = {}): ReplayResult {
  return {
    ended: 'done',
    from: '2026-01-01T00:00:00.0000000Z',
    to: '2026-01-02T00:00:00.0000000Z',
    upTo: '2026-01-02T00:00:00.0000000Z',
    records: 0,
    listed: 0,
    gone: 0,
    broken: 0,
    journalSince: '2025-12-25T00:00:00.0000000Z',
    notListed: null,
    unread: [],
    ...overrides,
  };
}
