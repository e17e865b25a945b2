import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment } from 'kubernetes-models/apps/v1';
import { ConfigMap, PersistentVolumeClaim } from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { testFolder } from '../support/folder.ts';
import { root } from './stand-in.ts';

const models = { Deployment, ConfigMap, PersistentVolumeClaim };
const modules = { Deployment: 'apps/v1', ConfigMap: 'v1', PersistentVolumeClaim: 'v1' };
type Kind = keyof typeof models;

interface Manifest {
  readonly kind: Kind;
  readonly [key: string]: unknown;
}

const manifests = parseAllDocuments(
  readFileSync(join(root, 'deploy/kubernetes/defender-relay.yaml'), 'utf8'),
).map((document) => document.toJS() as Manifest);
const of = <K extends Kind>(kind: K) => manifests.find((manifest) => manifest.kind === kind);
const deployment = new Deployment(of('Deployment') as never);
const pod = deployment.spec!.template.spec!;
const relay = pod.containers.find(({ name }) => name === 'defender-relay')!;

/** What the compiler says of the manifests as literals: unlike `validate()` it knows which keys there are. */
function compile(manifests: readonly Manifest[]): string {
  const folder = testFolder();
  const path = join(root, 'node_modules/kubernetes-models');
  const lines = manifests.map((manifest) => {
    const type = `import('kubernetes-models/${modules[manifest.kind]}').I${manifest.kind}`;
    return `(${JSON.stringify(manifest)}) satisfies ${type};\n`;
  });
  writeFileSync(join(folder, 'manifests.ts'), lines.join(''));
  const compilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: 'nodenext',
    paths: { 'kubernetes-models/*': [`${path}/*/index.d.ts`] },
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['manifests.ts'] }));
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

describe('the Kubernetes manifest', () => {
  it.each(manifests)('is valid: $kind', (manifest) => {
    const model = new models[manifest.kind](manifest as never);
    expect(() => model.validate()).not.toThrow();
  });

  it('has no key that Kubernetes does not know', () => {
    expect(compile(manifests)).toBe('');
    const wrong = structuredClone(manifests).map((manifest) => ({ ...manifest, specs: {} }));
    expect(compile(wrong)).toContain('"specs"');
  }, 60_000);

  it('runs one relay at a time on a disk that no second pod can have', () => {
    expect(deployment.spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    expect(of('PersistentVolumeClaim')).toMatchObject({ spec: { accessModes: ['ReadWriteOncePod'] } });
  });

  it('lets nobody write, gain rights or be root', () => {
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    });
    for (const { securityContext, resources } of pod.containers) {
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(resources?.limits).toHaveProperty('memory');
    }
  });

  it('mounts volumes that there are, and probes a port that there is', () => {
    const volumes = pod.volumes!.map(({ name }) => name);
    const mounts = pod.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
    expect(volumes).toEqual(expect.arrayContaining(mounts));
    const ports = relay.ports!.map(({ name }) => name);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      expect(ports).toContain(relay[probe]?.httpGet?.port);
    }
    // A SIEM that is down is no reason to start the pod again.
    expect(relay.livenessProbe?.httpGet?.path).toBe('/healthz');
  });

  it('holds a config that the relay takes, and that goes with the rest', () => {
    const { data } = of('ConfigMap') as unknown as { data: Record<string, string> };
    const folder = testFolder();
    const file = join(folder, 'relay.yaml');
    const secrets = relay.volumeMounts!.find(({ name }) => name === 'secrets')!.mountPath;
    expect(data['relay.yaml']).toContain(`\${file:${secrets}/graph}`);
    writeFileSync(join(folder, 'graph'), 'secret', { mode: 0o600 });
    writeFileSync(file, data['relay.yaml']!.replace(secrets, folder));
    const { config } = loadConfig(file);
    const state = relay.volumeMounts!.find(({ name }) => name === 'state')!.mountPath;
    expect(config.state.directory.startsWith(`${state}/`)).toBe(true);
    const { port } = config.server.listen as { port: number };
    expect(relay.ports!.map(({ containerPort }) => containerPort)).toEqual([port]);
  });
});
