import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { askRelay } from '../../src/control/client.ts';
import { shortPath, socketIn } from '../../src/control/place.ts';
import type { ControlCommands } from '../../src/control/protocol.ts';
import { type ControlOptions, openControl } from '../../src/control/server.ts';
import { JournalError } from '../../src/core/errors.ts';
import { wait } from '../../src/lib/wait.ts';
import { aLog } from '../journal/harness.ts';
import { testFolder } from '../support/folder.ts';
import { aReplayResult } from '../support/replayed.ts';

const iso = (day: number) => `2026-01-0${day + 1}T00:00:00Z`;
const wanted = { sink: 'siem', from: iso(0), to: iso(1), maxPerSecond: 10 };
const step = { doing: 'appending', records: 7, upTo: iso(0) } as const;
const handled = { done: [1], left: [] };

async function listen(
  directory: string,
  overrides: Partial<ControlCommands> = {},
  options: ControlOptions = {},
) {
  const log = aLog();
  const commands = {
    forget: vi.fn(async () => 'forgotten' as const),
    retry: vi.fn(async () => handled),
    drop: vi.fn(async () => handled),
    reconcile: vi.fn(async () => ({ sources: [], gaps: [] })),
    replay: vi.fn(async () => aReplayResult()),
    ...overrides,
  };
  const control = await openControl(directory, commands, log, options);
  onTestFinished(() => control.close());
  return { commands, control, log };
}

/** A folder whose path has so many bytes. */
function deepFolder(bytes: number): string {
  let folder = testFolder();
  while (folder.length < bytes) folder = join(folder, 'd'.repeat(Math.min(200, bytes - folder.length)));
  mkdirSync(folder, { recursive: true });
  return folder;
}

describe('control.sock', () => {
  it('carries out what is asked, and answers', async () => {
    const folder = testFolder();
    const { commands, log } = await listen(folder);
    expect(await askRelay(folder, 'forget', { sink: 'old' })).toEqual({ value: 'forgotten' });
    expect(await askRelay(folder, 'retry', { ids: [1, 2] })).toEqual({ value: handled });
    expect(await askRelay(folder, 'drop', { sink: 'siem' })).toEqual({ value: handled });
    expect(commands.forget).toHaveBeenCalledWith({ sink: 'old' });
    expect(commands.retry).toHaveBeenCalledWith({ ids: [1, 2] });
    expect(commands.drop).toHaveBeenCalledWith({ sink: 'siem' });
    expect(log.lines).toEqual(Array(3).fill('a command was carried out'));
  });

  it('K9: is for its owner only, and gone when the relay is', async () => {
    const folder = testFolder();
    const { control } = await listen(folder);
    expect(statSync(socketIn(folder)).mode & 0o777).toBe(0o600);
    await control.close();
    expect(readdirSync(folder)).toEqual([]);
    expect(await askRelay(folder, 'forget', { sink: 'old' })).toBeUndefined();
  });

  it('K9: takes the place of one that a killed relay left', async () => {
    const folder = testFolder();
    const dead = createServer().listen(socketIn(folder));
    await new Promise((resolve) => dead.once('listening', resolve));
    // Nobody listens any more, and nobody has taken the file away.
    renameSync(socketIn(folder), join(folder, 'kept'));
    await new Promise<void>((resolve) => dead.close(() => resolve()));
    renameSync(join(folder, 'kept'), socketIn(folder));
    expect(statSync(socketIn(folder)).isSocket()).toBe(true);
    expect(await askRelay(folder, 'forget', { sink: 'old' })).toBeUndefined();
    await listen(folder);
    expect(await askRelay(folder, 'forget', { sink: 'old' })).toEqual({ value: 'forgotten' });
  });

  it.each([95, 107, 108, 300, 1_000])('K9: works in a folder whose path has %i bytes', async (bytes) => {
    const folder = deepFolder(bytes);
    const { control } = await listen(folder);
    expect(existsSync(socketIn(folder))).toBe(true);
    expect(await askRelay(folder, 'forget', { sink: 'old' })).toEqual({ value: 'forgotten' });
    await control.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('K9: has a short link made for it where the system has none', async () => {
    const folder = deepFolder(300);
    await listen(folder);
    const before = readdirSync(tmpdir());
    const short = shortPath(folder, '/nowhere');
    expect(short.path.length).toBeLessThan(103);
    expect(statSync(short.path).isSocket()).toBe(true);
    short.release();
    expect(existsSync(short.path)).toBe(false);
    expect(existsSync(socketIn(folder))).toBe(true);
    expect(
      readdirSync(tmpdir()).filter((name) => !before.includes(name) && name.startsWith('relay-')),
    ).toEqual([]);
  });

  it.each([
    ['forget', {}],
    ['forget', { sink: 7 }],
    ['retry', { ids: ['1'] }],
    ['drop', null],
    ['replay', { sink: 'a', from: 'noon', to: iso(1), maxPerSecond: 1 }],
    ['replay', { sink: 'a', from: iso(0), to: iso(1), maxPerSecond: 0 }],
    ['replay', { from: iso(0), to: iso(1), maxPerSecond: 1 }],
    ['jump', { sink: 'a' }],
  ])('refuses %s of %j', async (command, argument) => {
    const folder = testFolder();
    const { commands } = await listen(folder);
    await expect(askRelay(folder, command as 'forget', argument as never)).rejects.toThrow(
      /did not do it: the relay that runs does not know this command$/,
    );
    for (const spy of Object.values(commands)) expect(spy).not.toHaveBeenCalled();
  });

  it('refuses what is too long', async () => {
    const folder = testFolder();
    await listen(folder);
    const sink = 'x'.repeat(2 ** 21);
    await expect(askRelay(folder, 'forget', { sink })).rejects.toThrow(/HTTP 413|cannot be asked/);
    expect(await askRelay(folder, 'forget', { sink: 'old' })).toEqual({ value: 'forgotten' });
  });

  it('tells what went wrong at the relay', async () => {
    const folder = testFolder();
    const forget = () => Promise.reject(new JournalError('the disk is gone'));
    await listen(folder, { forget });
    await expect(askRelay(folder, 'forget', { sink: 'old' })).rejects.toThrow(
      `the relay at ${socketIn(folder)} did not do it: the disk is gone`,
    );
  });

  it('answers who does not accept lines with one, and a status', async () => {
    const folder = testFolder();
    const { control } = await listen(folder, { drop: () => Promise.reject(new Error('no')) });
    const post = (path: string) =>
      new Promise<[number | undefined, unknown]>((resolve, reject) => {
        request({ socketPath: socketIn(folder), path, method: 'POST', agent: false })
          .on('error', reject)
          .on('response', async (response) => resolve([response.statusCode, await json(response)]))
          .end(JSON.stringify({ sink: 'siem' }));
      });
    expect(await post('/retry')).toEqual([200, { value: handled }]);
    expect(await post('/drop')).toEqual([500, { problem: 'no' }]);
    expect(await post('/jump')).toEqual([400, { problem: expect.any(String) }]);
    await control.close();
  });

  it('waits for as long as the relay says that it is at it', async () => {
    const folder = testFolder();
    const done = Promise.withResolvers<typeof handled>();
    await listen(folder, { retry: () => done.promise }, { stillMs: 20 });
    const asked = askRelay(folder, 'retry', { sink: 'siem' }, { timeoutMs: 500 });
    setTimeout(() => done.resolve(handled), 800);
    expect(await asked).toEqual({ value: handled });
  });

  it('ends by its signal, and tells that apart from a fault', async () => {
    const folder = testFolder();
    const done = Promise.withResolvers<typeof handled>();
    const retry = vi.fn(() => done.promise);
    await listen(folder, { retry });
    const stop = new AbortController();
    const asked = askRelay(folder, 'retry', { sink: 'siem' }, { signal: stop.signal });
    await vi.waitFor(() => expect(retry).toHaveBeenCalled());
    stop.abort();
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    done.resolve(handled);
  });

  it('tells on its way how far it is', async () => {
    const folder = testFolder();
    const result = aReplayResult({ records: 7 });
    const { commands } = await listen(folder, {
      async replay(_, task) {
        for (const records of [1, 2]) {
          task.progress({ ...step, records });
          await wait(10);
        }
        return result;
      },
    });
    const onProgress = vi.fn();
    expect(await askRelay(folder, 'replay', wanted, { onProgress })).toEqual({ value: result });
    expect(onProgress.mock.calls).toEqual([[{ ...step, records: 1 }], [{ ...step, records: 2 }]]);
    expect(commands.forget).not.toHaveBeenCalled();
  });

  it.each([
    ['whoever asked has gone', 'gone'],
    ['the relay is to stop', 'stop'],
    ['it closes', 'close'],
  ] as const)('has the work end in good order when %s', async (_, why) => {
    const folder = testFolder();
    const [gone, stop] = [new AbortController(), new AbortController()];
    const ended = vi.fn();
    const begun = Promise.withResolvers<void>();
    const { control } = await listen(
      folder,
      {
        async replay(_argument, { signal, progress }) {
          progress(step);
          begun.resolve();
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
          ended();
          return aReplayResult({ ended: 'stopped' });
        },
      },
      { stop: stop.signal },
    );
    const asked = askRelay(folder, 'replay', wanted, { signal: gone.signal });
    // Heard of below, or not at all.
    asked.catch(() => {});
    await begun.promise;
    if (why === 'gone') gone.abort();
    else if (why === 'stop') stop.abort();
    else await control.close();
    await vi.waitFor(() => expect(ended).toHaveBeenCalled());
    if (why === 'gone') await expect(asked).rejects.toThrow('stopped');
    else expect(await asked).toMatchObject({ value: { ended: 'stopped' } });
  });

  it('does not keep for ever what nobody reads', async () => {
    const folder = testFolder();
    const told = 2_000;
    await listen(folder, {
      async replay(_, { progress }) {
        for (let records = 0; records < told; records++) progress({ ...step, records });
        return aReplayResult();
      },
    });
    const onProgress = vi.fn();
    expect(await askRelay(folder, 'replay', wanted, { onProgress })).toEqual({ value: aReplayResult() });
    expect(onProgress.mock.calls.length).toBeLessThan(100);
  });

  it('answers what is under way before it closes', async () => {
    const folder = testFolder();
    const done = Promise.withResolvers<typeof handled>();
    const retry = vi.fn(() => done.promise);
    const { control } = await listen(folder, { retry });
    const asked = askRelay(folder, 'retry', { sink: 'siem' });
    await vi.waitFor(() => expect(retry).toHaveBeenCalled());
    const closed = control.close();
    done.resolve(handled);
    expect(await asked).toEqual({ value: handled });
    await closed;
  });

  it('tells of a relay that died meanwhile', async () => {
    const folder = testFolder();
    const server = createServer((socket) => {
      socket.once('data', () => {
        const begun = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n';
        socket.write(begun, () => socket.destroy());
      });
    }).listen(socketIn(folder));
    onTestFinished(() => void server.close());
    await expect(askRelay(folder, 'forget', { sink: 'old' })).rejects.toThrow(
      /did not do it: it has ended before it was done$/,
    );
  });

  it('tells when a relay does not answer, or something else does', async () => {
    const folder = testFolder();
    const open: Socket[] = [];
    const server = createServer((socket) => open.push(socket)).listen(socketIn(folder));
    onTestFinished(() => {
      for (const socket of open) socket.destroy();
      server.close();
    });
    await expect(askRelay(folder, 'forget', { sink: 'old' }, { timeoutMs: 50 })).rejects.toThrow(
      /it does not answer$/,
    );
    server.removeAllListeners('connection').on('connection', (socket: Socket) => socket.end('SSH-2.0-x\r\n'));
    await expect(askRelay(folder, 'forget', { sink: 'old' })).rejects.toThrow(/cannot be asked: /);
  });

  it.skipIf(process.getuid?.() === 0)('says who may ask', async () => {
    const folder = testFolder();
    await listen(folder);
    chmodSync(socketIn(folder), 0);
    await expect(askRelay(folder, 'forget', { sink: 'old' })).rejects.toThrow(
      /as the user that the relay runs as$/,
    );
  });

  it('is done without where it cannot be made, and that is told', async () => {
    const folder = testFolder();
    mkdirSync(socketIn(folder));
    const { control, log } = await listen(folder);
    expect(log.lines).toEqual([
      expect.stringMatching(/^commands that change something cannot reach this relay: /),
    ]);
    await control.close();
  });
});
