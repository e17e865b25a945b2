import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { whyUnreadable } from '../lib/files.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where references lead. */
export interface Surroundings {
  readonly env: Environment;
  /** Folder of the config file: relative paths begin there. */
  readonly folder: string;
}

/** Why something that the config names cannot be had. */
export interface Failure {
  readonly failed: string;
  readonly hint?: string;
}

/** A secret is a line; nobody keeps more than a certificate chain in a setting. */
const MAX_FILE_BYTES = 65_536;
/** Of a file that others will read: a bundle of all CAs there are has a twentieth of that. */
const MAX_READABLE_BYTES = 16_777_216;

/** How a reference is written, for messages. */
export const FORMS = `\${env:NAME} or \${file:PATH}`;

const REFERENCE = /\$\$\{|\$\{(?:(?<kind>env|file):(?<target>[^{}\p{Cc}]+)\})?/gu;
const ONLY_REFERENCE = /^\$\{(?:env:[^{}\p{Cc}]+|file:(?<file>[^{}\p{Cc}]+))\}$/u;

/**
 * `text` with `${env:NAME}` and `${file:PATH}` replaced by what they stand for, once: what comes in is not looked
 * at again. `$${` is a literal `${`. A file's trailing line breaks are cut.
 */
export function resolveReferences(text: string, surroundings: Surroundings): { text: string } | Failure {
  let result = '';
  let done = 0;
  for (const match of text.matchAll(REFERENCE)) {
    result += text.slice(done, match.index);
    done = match.index + match[0].length;
    const { kind, target } = match.groups ?? {};
    if (match[0] === '$${') {
      result += '${';
    } else if (target === undefined) {
      return { failed: `expected ${FORMS}`, hint: `write "$\${" for a plain "\${"` };
    } else {
      const found =
        kind === 'env' ? readVariable(target, surroundings) : readText(resolve(surroundings.folder, target));
      if ('failed' in found) return found;
      result += found.text;
    }
  }
  return { text: result + text.slice(done) };
}

/** Whether a text is one reference and nothing else, as a secret must be; with its file, if it is one. */
export function soleReference(text: string, { folder }: Surroundings): { file?: string } | undefined {
  const match = ONLY_REFERENCE.exec(text);
  if (!match) return undefined;
  const file = match.groups?.file;
  return file === undefined ? {} : { file: resolve(folder, file) };
}

/**
 * Whether every user of the machine may write it: then the secret is somebody else's choice. That all may *read* it
 * says nothing: Docker and Kubernetes mount secrets with mode 0444 or 0644 where only the container sees them, and a
 * folder above can be closed. Always false where modes mean nothing.
 */
export function isWorldWritable(file: string): boolean {
  if (process.platform === 'win32') return false;
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o002) !== 0;
}

/** Why a file cannot be read, if so. */
export function unreadable(file: string): Failure | undefined {
  const found = readBytes(file, MAX_READABLE_BYTES);
  return 'failed' in found ? found : undefined;
}

function readVariable(name: string, { env }: Surroundings): { text: string } | Failure {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return { failed: `expected the name of an environment variable in \${env:NAME}` };
  const text = env[name];
  if (typeof text !== 'string') return { failed: `environment variable ${name} is not set` };
  if (text === '') return { failed: `environment variable ${name} is empty` };
  return { text };
}

/** What `${file:PATH}` of this file stands for now. */
export function readText(file: string): { text: string } | Failure {
  const found = readBytes(file, MAX_FILE_BYTES);
  if ('failed' in found) return found;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(found.bytes).replace(/[\r\n]+$/, '');
    return text === '' ? { failed: `file ${file} is empty` } : { text };
  } catch {
    return { failed: `file ${file} is not UTF-8 text`, hint: 'save it as UTF-8' };
  }
}

function readBytes(file: string, maxBytes: number): { bytes: Buffer } | Failure {
  try {
    const stat = statSync(file);
    // A pipe or a device could keep us waiting for ever.
    if (!stat.isFile()) return { failed: `${file} is not a file` };
    if (stat.size > maxBytes) return { failed: `file ${file} is larger than ${maxBytes} bytes` };
    return { bytes: readFileSync(file) };
  } catch (error) {
    return { failed: `file ${file} ${whyUnreadable(error)}` };
  }
}
