import { Agent, get, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Problem } from '../../src/observe/readiness.ts';
import { openServer, type Shown } from '../../src/observe/server.ts';
import type { Status } from '../../src/observe/status.ts';

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((found) => found?.address === '::1');

const aStatus: Status = {
  version: '1.2.3',
  directory: '/var/lib/relay',
  running: true,
  since: null,
  ready: true,
  problems: [],
  configRefused: null,
  sources: [],
  journal: null,
  sinks: [],
  deadLetters: [],
};

const shown = (overrides: Partial<Shown> = {}): Shown => ({
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  metrics: async () => 'up 1\n',
  alive: async () => {},
  problems: async () => [],
  status: async () => aStatus,
  ...overrides,
});

async function open(overrides: Partial<Shown> = {}) {
  const server = await openServer({ host: '127.0.0.1', port: 0 }, shown(overrides));
  onTestFinished(() => server.close());
  return server;
}

async function ask(port: number, path: string, agent?: Agent, headers = {}) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers, ...(agent && { agent }) }, resolve).on('error', reject);
  });
  return { status: response.statusCode, type: response.headers['content-type'], body: await text(response) };
}

describe('openServer()', () => {
  it('answers /metrics in the format that it says', async () => {
    const { port } = await open();
    expect(await ask(port, '/metrics')).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      body: 'up 1\n',
    });
  });

  it('answers /healthz with 200 while the journal answers', async () => {
    const { port } = await open();
    expect(await ask(port, '/healthz')).toMatchObject({ status: 200, body: '{"healthy":true}' });
  });

  it.each([
    ['an error', () => Promise.reject(new Error('the journal is lost'))],
    ['something else', () => Promise.reject('the journal is lost')],
    [
      'an error at once',
      () => {
        throw new Error('the journal is lost');
      },
    ],
  ])('answers /healthz with 503 and the reason at %s', async (_, alive) => {
    const { port } = await open({ alive });
    const { status, body } = await ask(port, '/healthz');
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual({ healthy: false, reason: 'the journal is lost' });
  });

  it('answers /healthz with 503 when the journal does not answer in time', async () => {
    const { port } = await open({ alive: () => new Promise(() => {}) });
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const asking = ask(port, '/healthz');
    await vi.waitUntil(() => vi.getTimerCount() > 0);
    vi.advanceTimersByTime(5_000);
    const { status, body } = await asking;
    expect(status).toBe(503);
    expect(body).toContain('does not answer');
  });

  it('answers /readyz with 200 when there is no problem, and else with 503 and a line for each', async () => {
    let problems: Problem[] = [];
    const { port } = await open({ problems: async () => problems });
    const json = { Accept: 'application/json, */*' };
    expect(await ask(port, '/readyz')).toMatchObject({ status: 200, body: 'ready\n' });
    const ready = await ask(port, '/readyz', undefined, json);
    expect(ready).toMatchObject({ status: 200, body: '{"ready":true,"problems":[]}' });
    problems = [
      { part: 'source', name: 'alerts', tenant: 'contoso', message: 'source alerts: silent' },
      { part: 'sink', name: 'siem', message: 'sink siem: down' },
    ];
    const lines = await ask(port, '/readyz');
    expect(lines).toMatchObject({ status: 503, body: 'source alerts: silent\nsink siem: down\n' });
    expect(lines.type).toMatch(/^text\/plain/);
    const told = await ask(port, '/readyz', undefined, json);
    expect(told.status).toBe(503);
    expect(JSON.parse(told.body)).toEqual({ ready: false, problems });
  });

  it('answers /status with all there is to say', async () => {
    const { port } = await open();
    const { status, type, body } = await ask(port, '/status');
    expect([status, type]).toEqual([200, 'application/json']);
    expect(JSON.parse(body)).toEqual(aStatus);
  });

  it('goes on after metrics that failed, and says nothing of what failed', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    onTestFinished(() => void vi.restoreAllMocks());
    let fails = true;
    const { port } = await open({
      metrics: async () => {
        if (fails) throw new Error('canary at /var/lib');
        return 'up 1\n';
      },
    });
    const failed = await ask(port, '/metrics');
    expect(failed.status).toBe(500);
    expect(failed.body).not.toContain('canary');
    fails = false;
    expect((await ask(port, '/metrics')).status).toBe(200);
  });

  it.each(['/', '/nothing', '/metrics/../../etc/passwd', '/%00', '/metrics%0d%0aX:%201'])(
    'knows no %s',
    async (path) => {
      const { port } = await open();
      expect((await ask(port, path)).status).toBe(404);
    },
  );

  it('says where it is', async () => {
    const { port, origin } = await open();
    expect(origin).toBe(`http://127.0.0.1:${port}`);
  });

  it.skipIf(!hasIPv6)('says where it is under IPv6, too', async () => {
    const server = await openServer({ host: '::1', port: 0 }, shown());
    onTestFinished(() => server.close());
    expect(server.origin).toBe(`http://[::1]:${server.port}`);
    expect((await fetch(`${server.origin}/healthz`)).status).toBe(200);
  });

  it('says what to do when the port is taken', async () => {
    const { port } = await open();
    const second = openServer({ host: '127.0.0.1', port }, shown());
    await expect(second).rejects.toThrow(RelayError);
    await expect(second).rejects.toThrow(
      `server.listen 127.0.0.1:${port}: the address is in use: is another relay running here? ` +
        'Choose another with server.listen, or "off".',
    );
  });

  it('says what to do when the address is not of this machine', async () => {
    const second = openServer({ host: '192.0.2.1', port: 0 }, shown());
    await expect(second).rejects.toThrow(
      /^server\.listen 192\.0\.2\.1:0: .*\. Choose another with server\.listen/,
    );
  });

  it('closes at once under a client that keeps its connection, and gives the port free', async () => {
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const server = await open();
    await ask(server.port, '/metrics', agent);
    await server.close();
    const again = createServer();
    await new Promise<void>((resolve, reject) => {
      again.on('error', reject).listen(server.port, '127.0.0.1', resolve);
    });
    await new Promise((resolve) => again.close(resolve));
  });

  it('closes while an answer is being waited for, and twice', async () => {
    let asked = () => {};
    const asking = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const server = await open({
      metrics: () => {
        asked();
        return new Promise(() => {});
      },
    });
    const answer = ask(server.port, '/metrics');
    answer.catch(() => {});
    await asking;
    await server.close();
    await expect(answer).rejects.toThrow();
    await server.close();
  });
});
