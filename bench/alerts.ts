import { revisionOf } from '../src/simulator/alert.ts';
import { suspiciousPowershell } from '../src/simulator/templates/endpoint.ts';
import { keyOf } from '../src/simulator/time.ts';

export const TENANT = '8f7c0000-0000-4000-8000-000000000000';

/** When the first alert was raised, milliseconds since 1970, and how long after it the next one. */
export const FIRST_MS = Date.UTC(2026, 0, 5);
export const STEP_MS = 500;

/** So many differ in all but id and time: people, machines, addresses, hashes. */
const VARIANTS = 64;
const DIGITS = 9;
const NO_NUMBER = '0'.repeat(DIGITS);
const TIME = keyOf(FIRST_MS, 1);

/** As long as Microsoft's own are: with them an alert has 8 KB. */
const RECOMMENDED = [
  'Collect artifacts and determine scope',
  '• Review the machine timeline for suspicious activities that may have occurred before and after the time of the alert, and record additional related artifacts (files, IPs/URLs).',
  '• Look for the presence of relevant artifacts on other systems. Identify commonalities and differences between potentially compromised systems.',
  '• Submit relevant files for deep analysis and review resulting detailed behavioral information.',
  '• Submit undetected files to the MMPC malware portal.',
  'Initiate containment & mitigation',
  '• Contact the user to verify intent and initiate local remediation actions as needed.',
  '• Update AV signatures and run a full scan. The scan might reveal and remove previously-undetected malware components.',
  '• Ensure that the machine has the latest security updates. In particular, ensure that you have installed the latest software, web browser, and Operating System versions.',
  '• If credential theft is suspected, reset all relevant users passwords.',
  '• Block communication with relevant URLs or IPs at the organization’s perimeter.',
  'Validate the alert',
  '• Inspect the PowerShell script block logs of the machine and decode what is encoded in the command line.',
  '• Compare the command line with those of scheduled tasks, software distribution and monitoring of the machine: each of them starts PowerShell hidden, too.',
  '• Find out who has started the parent process, and whether the account signs in from there at other times.',
  '• Look for other machines on which the same account, the same address or the same domain appears within a day of the alert, and for messages with links to that domain that were delivered to mailboxes.',
  '• Isolate the machine if any of these cannot be explained, and keep it isolated until its memory has been collected.',
  '• Rebuild it from a known image where persistence was found: a cleaned machine is not a trusted one.',
  'Improve',
  '• Turn on the attack surface reduction rules for obfuscated scripts and for processes that are made by Office applications; in audit mode first, for two weeks.',
  '• Constrain the language mode of PowerShell by application control where administrators do not need it.',
].join('\n');

/** JSON of an alert with places for its number and its time. */
interface Variant {
  readonly text: Buffer;
  readonly numbers: readonly number[];
  readonly times: readonly number[];
}

const template = {
  ...suspiciousPowershell,
  more: () => ({ investigationState: 'queued', recommendedActions: RECOMMENDED }),
};

function variantOf(ordinal: number): Variant {
  const id = `da638000000000000000_${NO_NUMBER}`;
  const alert = { seed: 1, tenantId: TENANT, ordinal, template, id, createdKey: TIME };
  const text = Buffer.from(
    JSON.stringify(revisionOf(alert, [], { raisedAt: FIRST_MS, visibleAt: FIRST_MS }).body()),
  );
  const [createdDateTime, lastUpdateDateTime] = placesOf(text, TIME);
  return {
    text,
    numbers: placesOf(text, `_${NO_NUMBER}`).map((place) => place + 1),
    times: [createdDateTime!, lastUpdateDateTime!],
  };
}

function placesOf(text: Buffer, what: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + 1)) places.push(at);
  return places;
}

const variants = Array.from({ length: VARIANTS }, (_, ordinal) => variantOf(ordinal));

/** No alert has more bytes. */
export const MOST_ALERT_BYTES = Math.max(...variants.map(({ text }) => text.length));

/** `lastUpdateDateTime` of an alert, as a key. */
export const keyAt = (index: number): string => keyOf(FIRST_MS + index * STEP_MS, (index % 9_999) + 1);

/**
 * Writes an alert in JSON, about 8 KB with six pieces of evidence: a copy of bytes that are there already, with its
 * number and time put in. Costs next to nothing, so that who serves it leaves the cores to who is measured.
 *
 * @param key its `lastUpdateDateTime`
 * @returns where it ends
 */
export function writeAlert(target: Buffer, at: number, index: number, key = keyAt(index)): number {
  const { text, numbers, times } = variants[index % VARIANTS]!;
  text.copy(target, at);
  const number = String(index).padStart(DIGITS, '0');
  for (const place of numbers) target.write(number, at + place, 'latin1');
  for (const place of times) target.write(key, at + place, 'latin1');
  return at + text.length;
}

/** The number of the first of `count` alerts that was updated at `key` or later. */
export function firstFrom(key: string, count: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keyAt(middle) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Alerts `from` to `to` (not included) as the page of a list, in the order in which Graph has them: newest first.
 *
 * @param head what stands before them
 * @param memory to write it to, when it is large enough: new memory costs more than what is written there
 */
export function writePage(head: object, from: number, to: number, memory: Buffer = Buffer.alloc(0)): Buffer {
  const [before, after] = JSON.stringify({ ...head, value: [] }).split(/(?<=\[)(?=\]\}$)/) as [
    string,
    string,
  ];
  const most = before.length + after.length + (to - from) * (MOST_ALERT_BYTES + 1);
  const page = memory.length >= most ? memory : Buffer.allocUnsafeSlow(most);
  let at = page.write(before, 'latin1');
  for (let index = to - 1; index >= from; index--) {
    at = writeAlert(page, at, index);
    if (index > from) at += page.write(',', at, 'latin1');
  }
  return page.subarray(0, at + page.write(after, at, 'latin1'));
}
