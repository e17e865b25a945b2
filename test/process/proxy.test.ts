import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { start } from '../cli/child.ts';
import { testFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';

const ALERTS = 300;

it('G24: `run` reads from `simulate` through a proxy that inspects, and signs in through it too', async () => {
  const folder = testFolder();
  const simulate = ['simulate', '--dir', folder, '--port', '0', '--alerts', String(ALERTS), '--rate', '1000'];
  const simulator = start(simulate);
  await expect.poll(() => simulator.stdout, { timeout: 20_000 }).toContain('a relay that reads from it');
  const target = new URL(/https:\S+/.exec(simulator.stdout)?.[0] ?? '').host;

  const proxy = await startProxy();
  const config = join(folder, 'relay.yaml');
  // Only the proxy's CA is trusted: nothing can be read past it.
  const settings = `ca: ${proxy.caFile}
    proxy: ${proxy.origin}
    proxyLogin: { user: relay, password: '\${env:PROXY_PASSWORD}' }`;
  const written = readFileSync(config, 'utf8').replace('ca: ca.pem', settings);
  writeFileSync(config, `${written}server: { listen: 'off' }\n`);

  const relay = start(['run', '--config', config], { env: { PROXY_PASSWORD: 'canary-password' } });
  const ids = () => new Set(relay.stdout.match(/(?<=^CEF:0\|Microsoft\|.*\|externalId=)\S+/gm));
  await expect.poll(() => ids().size, { timeout: 20_000 }).toBe(ALERTS);
  relay.child.kill('SIGTERM');
  expect(await relay.ended, relay.stderr).toEqual([0, null]);
  expect(relay.stderr).not.toContain('canary-password');

  expect(new Set(proxy.connects)).toEqual(new Set([target]));
  expect(new Set(proxy.logins)).toEqual(
    new Set([`Basic ${Buffer.from('relay:canary-password').toString('base64')}`]),
  );
  const paths = proxy.inspected.map((request) => request.replace(/\?.*$/, ''));
  expect(paths).toContainEqual(expect.stringMatching(/^POST \/[0-9a-f-]+\/oauth2\/v2\.0\/token$/));
  expect(paths).toContain('GET /v1.0/security/alerts_v2');
});
