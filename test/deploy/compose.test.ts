import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { whyMissing } from '../peers/missing.ts';
import { testFolder } from '../support/folder.ts';
import { root } from './stand-in.ts';

interface Service {
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

const compose = (file: string) =>
  execFileSync('docker-compose', ['-f', file, 'config'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

describe.skipIf(whyMissing('docker-compose'))('docker-compose.yml (skipped without docker-compose)', () => {
  it('is taken by docker-compose, which gives no service more rights than it needs', () => {
    const { services } = parse(compose(join(root, 'docker-compose.yml'))) as {
      services: Record<string, Service>;
    };
    expect(Object.keys(services).toSorted()).toEqual(['prometheus', 'relay', 'rsyslog', 'simulator']);
    for (const service of Object.values(services)) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      // Published on this machine only.
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('would be refused with a key that there is not', () => {
    const file = join(testFolder(), 'docker-compose.yml');
    const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
    writeFileSync(file, text.replace('    ports:', '    portz:'));
    expect(() => compose(file)).toThrow(/portz/);
  });
});

describe.skipIf(whyMissing('rsyslog'))('rsyslog of docker-compose.yml (skipped without rsyslog)', () => {
  it('has a config that rsyslog takes', () => {
    const config = join(root, 'deploy/compose/rsyslog/rsyslog.conf');
    expect(() => execFileSync('rsyslogd', ['-N1', '-f', config], { stdio: 'pipe' })).not.toThrow();
  });
});

describe.skipIf(whyMissing('promtool'))('Prometheus of docker-compose.yml (skipped without promtool)', () => {
  it('has a config that Prometheus takes', () => {
    const config = join(root, 'deploy/compose/prometheus.yml');
    expect(execFileSync('promtool', ['check', 'config', config], { encoding: 'utf8' })).toContain('SUCCESS');
  });
});
