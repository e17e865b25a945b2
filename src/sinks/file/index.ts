import { z } from 'zod';
import { duration, EXAMPLE, place, size } from '../../lib/fields.ts';
import type { SinkPlugin } from '../context.ts';
import { FileSink, syncs } from './file-sink.ts';
import { compressions } from './rotation.ts';

/** With `fsync: interval`. */
const INTERVAL_MS = 1_000;

const mode = z
  .string()
  .regex(/^0?[2367][0-7]{2}$/, 'expected permissions in octal that let the owner write, such as 0640')
  .transform((text) => Number.parseInt(text, 8));

const schema = z.strictObject({
  type: z.literal('file'),
  path: place()
    .describe('File to append to; made when missing, its folder is not.')
    .meta({ [EXAMPLE]: '/var/log/defender-relay/alerts.cef' }),
  mode: mode.prefault('0640').describe('Permissions, in octal, of a file that is made.'),
  fsync: z
    .enum(syncs)
    .default('always')
    .describe(
      'When what was written is forced to disk and so confirmed: each batch (`always`), once a second (`interval`), or not at all (`never`): then the operating system has it, and a power failure may lose it.',
    ),
  rotate: z
    .strictObject({
      size: z
        .union([z.literal('off'), size({ min: '64KiB' })])
        .prefault('100MiB')
        .describe('Put the file aside before it becomes larger.'),
      every: z
        .union([z.literal('off'), duration({ min: '1m' })])
        .prefault('1d')
        .describe('Put the file aside when a new period has begun; with `1d` at midnight UTC.'),
      keep: z
        .int()
        .min(1)
        .max(100_000)
        .default(7)
        .describe('How many files that were put aside are kept; older ones are deleted.'),
      compress: z
        .enum(['none', ...compressions])
        .default('none')
        .describe('Compress them, all but the newest.'),
    })
    .prefault({})
    .describe('When a file is put aside, as `PATH-20260304T101500.123Z`, and a new one begun.'),
});

export const file: SinkPlugin<typeof schema> = {
  schema,
  summary:
    'Appends each event as a line to a file, forced to disk, with rotation; for a log shipper to pick up.',
  create({ path, mode, fsync, rotate }, { log, timeoutMs }) {
    const { size, every, keep, compress } = rotate;
    return new FileSink({
      path,
      mode,
      fsync,
      intervalMs: INTERVAL_MS,
      rotation: {
        maxBytes: size === 'off' ? undefined : size,
        everyMs: every === 'off' ? undefined : every,
        keep,
        compress: compress === 'none' ? undefined : compress,
      },
      timeoutMs,
      now: Date.now,
      log,
    });
  },
};
