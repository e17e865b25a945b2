import type { SourceRecord } from '../core/record.ts';
import type { SentPage } from './protocol.ts';

/** What is larger is not kept for the next page. */
const MOST_KEPT = 2 ** 25;
/** Most bytes that UTF-8 has for a character of a string. */
const MOST_BYTES = 3;

/**
 * Where the texts of a page stand while the worker reads them: in memory that both threads see, and that the next page
 * takes again. To send them as strings would copy each of them three times, into new memory each time, which costs more than
 * all that is done with them.
 */
export class Outbox {
  #spare: SharedArrayBuffer | undefined;

  /** The records with their texts as bytes, which stay as they are until `done`. */
  pack(records: readonly SourceRecord[]): { readonly records: SentPage['records']; done(): void } {
    const most = records.reduce((sum, { json }) => sum + json.length * MOST_BYTES, 0);
    const spare = this.#spare;
    const memory = spare && spare.byteLength >= most ? spare : new SharedArrayBuffer(most);
    this.#spare = undefined;
    const bytes = Buffer.from(memory);
    let at = 0;
    const sent = records.map(({ json, ...record }) => {
      const from = at;
      at += bytes.write(json, at);
      return { ...record, json: new Uint8Array(memory, from, at - from) };
    });
    const done = () => {
      if (memory.byteLength <= MOST_KEPT) this.#spare ??= memory;
    };
    return { records: sent, done };
  }
}
