import { describe, it } from 'vitest';
import { whyMissing } from '../peers/missing.ts';
import { surviveAll } from './surviving.ts';

describe.skipIf(whyMissing('strace'))('with system calls that fail, or take long', () => {
  it.each([
    ['K1: a write that fails', 'pwrite64:error=EIO:when=200..201', /disk I\/O error/],
    ['Q9: a write without room', 'pwrite64:error=ENOSPC:when=200..201', /is full/],
    ['K1: a file system that becomes read-only', 'pwrite64:error=EROFS:when=200..202', /cannot be used/],
    ['K2: an fsync that takes 30 ms', 'fsync,fdatasync:delay_exit=30000', undefined],
  ])(
    '%s: all arrives once, and without a restart',
    async (_, injection, problem) => {
      await surviveAll(injection, problem);
    },
    60_000,
  );
});
