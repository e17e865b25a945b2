import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { aRecord } from '../../support/records.ts';
import { aStamp, formatCef, parseCef } from './support.ts';

const LOGNORMALIZER = '/usr/bin/lognormalizer';
const isInstalled = existsSync(LOGNORMALIZER);
if (!isInstalled) console.warn(`skipped: ${LOGNORMALIZER} is not installed (apt install liblognorm-utils)`);

interface Normalized {
  readonly f: { readonly [field: string]: unknown; readonly Extensions: Readonly<Record<string, string>> };
}

/** Lines as a receiver would meet them: hostile texts in all the places that have one. */
function lines(count: number): readonly string[] {
  const pieces = ['\\', '|', '=', '\n', '\r', '\r\n', ' ', 'CEF:0|', ' src=', 'é', '😀', '"', 'a', '1', '\0'];
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((some) => some.join(''));
  const record = fc.tuple(text, text, text).map(([title, description, name]) =>
    aRecord({
      title,
      description,
      threatDisplayName: name,
      evidence: [
        {
          '@odata.type': '#microsoft.graph.security.userEvidence',
          userAccount: { userPrincipalName: name },
        },
        { '@odata.type': '#microsoft.graph.security.deviceEvidence', deviceDnsName: description },
        { '@odata.type': '#microsoft.graph.security.deviceEvidence', deviceDnsName: title },
      ],
    }),
  );
  return fc.sample(record, { numRuns: count, seed: 1 }).flatMap((one) => formatCef(one, aStamp()));
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'relay-lognorm-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.skipIf(!isInstalled)('S6: rsyslog reads every line as it was meant', () => {
  const rulebase = join(folder, 'cef.rb');
  writeFileSync(rulebase, 'version=2\nrule=:%f:cef%\n');
  const given = lines(5000);
  const { stdout } = spawnSync(LOGNORMALIZER, ['-r', rulebase, '-e', 'json'], {
    input: `${given.join('\n')}\n`,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const read = stdout.trimEnd().split('\n');
  expect(read).toHaveLength(given.length);
  read.forEach((json, index) => {
    const { f } = JSON.parse(json) as Normalized;
    const { header, extension } = parseCef(given[index] ?? '');
    expect(f).toMatchObject({
      DeviceVendor: header.vendor,
      DeviceProduct: header.product,
      DeviceVersion: header.deviceVersion,
      SignatureID: header.classId,
      Name: header.name,
      Severity: header.severity,
    });
    // A bug of liblognorm's: the first key loses its first letter.
    const { xternalId, ...rest } = f.Extensions;
    expect({ externalId: xternalId, ...rest }).toEqual(Object.fromEntries(extension));
  });
});
