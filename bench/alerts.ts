import { revisionOf } from '../src/simulator/alert.ts';
import { suspiciousPowershell } from '../src/simulator/templates/endpoint.ts';
import { keyOf } from '../src/simulator/time.ts';

export const TENANT = '8f7c0000-0000-4000-8000-000000000000';

/** When the first alert was raised, milliseconds since 1970, and how long after it the next one. */
export const FIRST_MS = Date.UTC(2026, 0, 5);
const STEP_MS = 500;

/** So many differ in people, machines, addresses and hashes: more than the journal compresses together. */
const VARIANTS = 512;
const DIGITS = 9;
/** Of all ids. */
const PREFIX = 'da638000000000000000_';
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

/** Alerts in JSON, each by its number, the same each time. They cost next to nothing: see {@link Alerts.write}. */
export class Alerts {
  readonly #keyAt: (index: number) => string;
  readonly #variants: readonly Variant[];
  /** No alert has more bytes. */
  readonly mostBytes: number;

  /**
   * @param keyAt `lastUpdateDateTime` of an alert, as a key, rising with its number; left out: {@link keyAt}
   * @param keyed in the place of each list of objects stands an object whose keys are the numbers of the list
   */
  constructor(options: { readonly keyAt?: (index: number) => string; readonly keyed?: boolean } = {}) {
    const shape = options.keyed ? keyed : (body: unknown) => body;
    this.#keyAt = options.keyAt ?? keyAt;
    this.#variants = Array.from({ length: VARIANTS }, (_, ordinal) => variantOf(ordinal, shape));
    this.mostBytes = Math.max(...this.#variants.map(({ text }) => text.length));
  }

  /**
   * Writes an alert, about 8 KB with six pieces of evidence: a copy of bytes that are there already, with its number and
   * time put in. So who serves it leaves the cores to who is measured.
   *
   * @returns where it ends
   */
  write(target: Buffer, at: number, index: number): number {
    const { text, numbers, times } = this.#variants[index % VARIANTS]!;
    text.copy(target, at);
    const number = String(index).padStart(DIGITS, '0');
    const key = this.#keyAt(index);
    for (const place of numbers) target.write(number, at + place, 'latin1');
    for (const place of times) target.write(key, at + place, 'latin1');
    return at + text.length;
  }

  /** The number of the first of `count` alerts that was updated at `key` or later. */
  firstFrom(key: string, count: number): number {
    let [low, high] = [0, count];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keyAt(middle) < key) low = middle + 1;
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
  page(head: object, from: number, to: number, memory: Buffer = Buffer.alloc(0)): Buffer {
    const [before, after] = JSON.stringify({ ...head, value: [] }).split(/(?<=\[)(?=\]\}$)/) as [
      string,
      string,
    ];
    const most = before.length + after.length + (to - from) * (this.mostBytes + 1);
    const page = memory.length >= most ? memory : Buffer.allocUnsafeSlow(most);
    let at = page.write(before, 'latin1');
    for (let index = to - 1; index >= from; index--) {
      at = this.write(page, at, index);
      if (index > from) at += page.write(',', at, 'latin1');
    }
    return page.subarray(0, at + page.write(after, at, 'latin1'));
  }
}

/** When alerts are updated that rise one after another, so many a second. */
export const risingFrom = (beginMs: number, perSecond: number) => (index: number) => {
  const ms = beginMs + (index * 1000) / perSecond;
  return keyOf(Math.floor(ms), Math.floor((ms % 1) * 10_000));
};

/** When an alert was updated that is there from the start. */
export const keyAt = (index: number): string => keyOf(FIRST_MS + index * STEP_MS, (index % 9_999) + 1);

function variantOf(ordinal: number, shape: (body: unknown) => unknown): Variant {
  const id = `${PREFIX}${NO_NUMBER}`;
  const alert = { seed: 1, tenantId: TENANT, ordinal, template, id, createdKey: TIME };
  const { body } = revisionOf(alert, [], { raisedAt: FIRST_MS, visibleAt: FIRST_MS });
  const text = Buffer.from(JSON.stringify(shape(body())));
  const [createdDateTime, lastUpdateDateTime] = placesOf(text, TIME);
  return {
    text,
    numbers: placesOf(text, `_${NO_NUMBER}`).map((place) => place + 1),
    times: [createdDateTime!, lastUpdateDateTime!],
  };
}

function keyed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value) && !value.some((item) => typeof item === 'object')) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, keyed(item)]));
}

function placesOf(text: Buffer, what: string): number[] {
  const places: number[] = [];
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + 1)) places.push(at);
  return places;
}

/** The number of the alert whose id comes first at `from` or behind. */
export function numberIn(text: Buffer, from: number): number {
  const at = text.indexOf(PREFIX, from) + PREFIX.length;
  let number = 0;
  for (let place = at; place < at + DIGITS; place++) number = 10 * number + text[place]! - 48;
  return number;
}
