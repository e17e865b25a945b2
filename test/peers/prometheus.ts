import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { testFolder } from '../support/folder.ts';
import { freePort, isBound, PeerProcess } from './peer-process.ts';

export interface Prometheus {
  /** What it knows now, by the labels of each series. */
  query(expression: string): Promise<readonly Sample[]>;
  /** How it fares with what it scrapes. */
  targets(): Promise<readonly Target[]>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Target {
  /** `unknown` before the first scrape. */
  readonly health: string;
  readonly lastError: string;
}

/** A real Prometheus that scrapes one address, `HOST:PORT`; ended when the test is. It takes some seconds to begin. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const folder = testFolder();
  const port = await freePort();
  const config = join(folder, 'prometheus.yml');
  writeFileSync(
    config,
    `global: { scrape_interval: 1s }
scrape_configs: [{ job_name: defender-relay, static_configs: [{ targets: ['${target}'] }] }]
`,
  );
  const process = new PeerProcess({
    command: '/usr/bin/prometheus',
    args: [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    isReady: () => isBound('tcp', port),
  });
  await process.start();
  onTestFinished(() => process.remove());
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
    return ((await answer.json()) as { data: T }).data;
  };
  return {
    async query(expression) {
      const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        `query?query=${encodeURIComponent(expression)}`,
      );
      return result.map(({ metric, value }) => ({
        labels: metric,
        value: Number(value[1].replace('Inf', 'Infinity')),
      }));
    },
    async targets() {
      return (await ask<{ activeTargets: Target[] }>('targets')).activeTargets;
    },
  };
}
