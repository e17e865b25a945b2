import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { UsageError } from '../core/errors.ts';
import { parseJson, stringifyJson } from '../lib/json.ts';
import { foreignText } from '../net/foreign.ts';
import type { Io } from './io.ts';

/** An alert as somebody gave it, and where: `alerts.json: element 3`. */
export interface Given {
  readonly alert: object;
  readonly where: string;
}

/** Alerts of a file (`-`: standard input): one alert, a JSON array, `{"value": [...]}`, or one alert a line. */
export async function readAlerts(file: string, io: Pick<Io, 'stdin'>): Promise<Given[]> {
  const stream = file === '-' ? io.stdin : createReadStream(file);
  let content: string;
  try {
    content = await text(stream);
  } catch (cause) {
    throw new UsageError(`--input ${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return alertsOf(content, inputName(file));
}

/** The input by the name that people know it by. */
export const inputName = (file: string): string => (file === '-' ? 'standard input' : file);

/** @throws {UsageError} that names file and line */
export function alertsOf(content: string, name: string): Given[] {
  // A byte order mark is what Windows editors put in front.
  const json = content.replace(/^\uFEFF/, '');
  if (json.trim() === '')
    throw new UsageError(
      `${name}: is empty; expected an alert, an array of alerts, {"value": [...]}, or an alert a line`,
    );
  let whole: unknown;
  try {
    whole = parseJson(json);
  } catch (cause) {
    const lines = json
      .split('\n')
      .flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]));
    // One line that does not parse is no "one alert a line".
    if (lines.length === 1 || !startsAlert(lines[0]!.line)) {
      throw new UsageError(`${name}: is not JSON: ${(cause as Error).message}`, { cause });
    }
    return lines.map(({ line, number }) => given(parseLine(line, name, number), `${name}:${number}`));
  }
  const list = isObject(whole) && 'value' in whole && Array.isArray(whole.value) ? whole.value : whole;
  if (Array.isArray(list)) return list.map((item, index) => given(item, `${name}: element ${index}`));
  return [given(whole, name)];
}

/**
 * What makes `alert` no alert, as the end of a sentence; `undefined` when it is one. Any field may be missing from an
 * alert, but not all of those that say what it is.
 */
export function unlikeAlert(alert: object): string | undefined {
  if (['id', 'title', 'createdDateTime'].some((name) => name in alert)) return undefined;
  if ('error' in alert && isObject(alert.error)) {
    const { code, message }: { code?: unknown; message?: unknown } = alert.error;
    const said = [code, message].map((text) => foreignText(text, [])).filter(Boolean);
    return `is an error that Graph answered with${said.length > 0 ? ` (${said.join(': ')})` : ''}, and no alert`;
  }
  return 'is no alert: it has no id, no title and no createdDateTime';
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One alert a line: the first line is JSON of its own. */
function startsAlert(line: string): boolean {
  try {
    return isObject(parseJson(line));
  } catch {
    return false;
  }
}

function parseLine(line: string, name: string, number: number): unknown {
  try {
    return parseJson(line);
  } catch (cause) {
    // The parser counts lines, too; of the one that it was given.
    const why = (cause as Error).message.replace(/ at position \d+ \(line 1 column (\d+)\)/, ' at column $1');
    throw new UsageError(`${name}:${number}: is not JSON: ${why}`, { cause });
  }
}

function given(value: unknown, where: string): Given {
  if (isObject(value)) return { alert: value, where };
  throw new UsageError(
    `${where}: expected an alert (a JSON object), found ${Array.isArray(value) ? 'an array' : stringifyJson(value)}`,
  );
}
