import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { UsageError } from '../core/errors.ts';
import { parseJson, stringifyJson } from '../lib/json.ts';
import type { Io } from './io.ts';

/** Alerts of a file (`-`: standard input): one alert, a JSON array, `{"value": [...]}`, or one alert a line. */
export async function readAlerts(file: string, io: Pick<Io, 'stdin'>): Promise<object[]> {
  const stream = file === '-' ? io.stdin : createReadStream(file);
  let content: string;
  try {
    content = await text(stream);
  } catch (cause) {
    throw new UsageError(`--input ${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return alertsOf(content, file === '-' ? 'standard input' : file);
}

/** @throws {UsageError} that names file and line */
export function alertsOf(content: string, name: string): object[] {
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
    return lines.map(({ line, number }) => alertOf(parseLine(line, name, number), `${name}:${number}`));
  }
  const list = isObject(whole) && 'value' in whole && Array.isArray(whole.value) ? whole.value : whole;
  if (Array.isArray(list)) return list.map((item, index) => alertOf(item, `${name}: element ${index}`));
  return [alertOf(whole, name)];
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
    throw new UsageError(`${name}:${number}: is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function alertOf(value: unknown, where: string): object {
  if (isObject(value)) return value;
  throw new UsageError(
    `${where}: expected an alert (a JSON object), found ${Array.isArray(value) ? 'an array' : stringifyJson(value)}`,
  );
}
