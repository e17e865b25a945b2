import { createReadStream } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { UsageError } from '../core/errors.ts';
import { parseJson, stringifyJson } from '../lib/json.ts';
import { foreignText } from '../net/foreign.ts';
import type { Io } from './io.ts';

/** An alert as somebody gave it, and where: `alerts.json: element 3`. */
export interface Given {
  readonly alert: object;
  readonly where: string;
}

/** Alerts of a file (`-`: standard input): see {@link alertsOf}. */
export async function readAlerts(file: string, io: Pick<Io, 'stdin'>): Promise<Given[]> {
  const stream = file === '-' ? io.stdin : createReadStream(file);
  let bytes: Buffer;
  try {
    bytes = await buffer(stream);
  } catch (cause) {
    throw new UsageError(`--input ${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
  return alertsOf(new TextDecoder(encodingOf(bytes)).decode(bytes), inputName(file));
}

/** PowerShell writes UTF-16, and a byte order mark that says so, where its `>` leads into a file. */
function encodingOf([first, second]: Buffer): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}

/** The input by the name that people know it by. */
export const inputName = (file: string): string => (file === '-' ? 'standard input' : file);

/**
 * The alerts in one JSON document, or in several one after another. Each is an alert, an array of alerts,
 * `{"value": [...]}` as Graph answers, or an incident with its alerts.
 *
 * @throws {UsageError} that names file and line
 */
export function alertsOf(content: string, name: string): Given[] {
  // A byte order mark is what Windows editors put in front.
  const json = content.replace(/^\uFEFF/, '');
  if (json.trim() === '')
    throw new UsageError(
      `${name}: is empty; expected an alert, an array of alerts, {"value": [...]}, or an alert a line`,
    );
  return documentsOf(json, name).flatMap(({ value, where }) => unfold(value, where));
}

interface Document {
  readonly value: unknown;
  readonly where: string;
}

function documentsOf(json: string, name: string): Document[] {
  try {
    return [{ value: parseJson(json), where: name }];
  } catch (cause) {
    const several = oneAfterAnother(json);
    if (several) return several.map(({ value, line }) => ({ value, where: `${name}:${line}` }));
    const lines = json
      .split('\n')
      .flatMap((line, index) => (line.trim() === '' ? [] : [{ line, number: index + 1 }]));
    // One line that does not parse is no "one alert a line".
    if (lines.length === 1 || !startsAlert(lines[0]!.line)) {
      throw new UsageError(`${name}: is not JSON: ${(cause as Error).message}`, { cause });
    }
    return lines.map(({ line, number }) => ({
      value: parseLine(line, name, number),
      where: `${name}:${number}`,
    }));
  }
}

/** Objects and arrays one after another, on one line or over many, and the lines where they begin. */
function oneAfterAnother(json: string): { value: unknown; line: number }[] | undefined {
  const found: { value: unknown; line: number }[] = [];
  let [depth, start, line, startLine, inText] = [0, 0, 1, 1, false];
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '\n') line++;
    if (inText) {
      if (char === '\\') at++;
      else inText = char !== '"';
    } else if (char === '"') inText = true;
    else if (char === '{' || char === '[') {
      if (depth === 0) [start, startLine] = [json.slice(start, at).trim() === '' ? at : start, line];
      depth++;
    } else if (char === '}' || char === ']') {
      depth--;
      if (depth > 0) continue;
      try {
        found.push({ value: parseJson(json.slice(start, at + 1)), line: startLine });
      } catch {
        return undefined;
      }
      start = at + 1;
    }
  }
  return json.slice(start).trim() === '' ? found : undefined;
}

/** The alerts that a document or an element of it holds. */
function unfold(value: unknown, where: string): Given[] {
  const list = isObject(value) && 'value' in value && Array.isArray(value.value) ? value.value : value;
  if (!Array.isArray(list)) return alertsIn(value, where);
  return list.flatMap((item, index) => alertsIn(item, `${where}: element ${index}`));
}

/** Of an incident its alerts, where Graph was asked to give them with it. */
function alertsIn(value: unknown, where: string): Given[] {
  const alerts = isObject(value) && isIncident(value) && 'alerts' in value ? value.alerts : undefined;
  if (!Array.isArray(alerts)) return [given(value, where)];
  return alerts.map((alert, index) => given(alert, `${where}: alert ${index}`));
}

/**
 * What makes `alert` no alert, as the end of a sentence; `undefined` when it is one. Any field may be missing from an
 * alert, but not all of those that say what it is.
 */
export function unlikeAlert(alert: object): string | undefined {
  if (isIncident(alert))
    return 'is an incident, and no alert; with $expand=alerts Graph gives its alerts too';
  if ('title' in alert || 'createdDateTime' in alert) return undefined;
  // Whatever Azure exports has an id, and says the rest in there.
  if ('properties' in alert) return 'is no alert: it has properties, as things of Azure do, and no title';
  if ('id' in alert) return undefined;
  if ('error' in alert && isObject(alert.error)) {
    const { code, message }: { code?: unknown; message?: unknown } = alert.error;
    const said = [code, message].map((text) => foreignText(text, [])).filter(Boolean);
    return `is an error that Graph answered with${said.length > 0 ? ` (${said.join(': ')})` : ''}, and no alert`;
  }
  return 'is no alert: it has no id, no title and no createdDateTime';
}

/** Like an alert it has an id, a severity and times. */
function isIncident(thing: object): boolean {
  return 'incidentWebUrl' in thing && 'displayName' in thing && !('title' in thing || 'alertWebUrl' in thing);
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
