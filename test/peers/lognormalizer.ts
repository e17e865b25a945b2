import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** CEF by a parser that is not ours, escapes undone. Its bug: the first key of the extension loses its first letter. */
export interface ParsedCef {
  readonly DeviceVendor: string;
  readonly DeviceProduct: string;
  readonly DeviceVersion: string;
  readonly SignatureID: string;
  readonly Name: string;
  readonly Severity: string;
  readonly Extensions: Readonly<Record<string, string>>;
}

/** What liblognorm makes of events, one line each; `undefined` for what it cannot parse. */
export function parseCef(lines: readonly string[]): readonly (ParsedCef | undefined)[] {
  const folder = mkdtempSync(join(tmpdir(), 'lognormalizer-'));
  try {
    const rules = join(folder, 'cef.rb');
    writeFileSync(rules, 'version=2\nrule=:%f:cef%\n');
    const parsed = execFileSync('/usr/bin/lognormalizer', ['-r', rules, '-e', 'json'], {
      input: lines.map((line) => `${line}\n`).join(''),
      encoding: 'utf8',
      maxBuffer: 2 ** 30,
    });
    const objects = parsed.split('\n').slice(0, -1);
    return objects.map((object) => (JSON.parse(object) as { f?: ParsedCef }).f);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
