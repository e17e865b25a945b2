import { parseAddress, parseMac } from './address.ts';
import { dictionary, type Key, type KeyType } from './dictionary.ts';
import { clean, shorten } from './escape.ts';

/** Longest item of cs6: with the separator and `truncated:N` it fits its 4,000 characters. */
const MAX_ITEM = 3900;

/** One item of cs6. */
export interface Item {
  readonly text: string;
  readonly cut: boolean;
}

/** `text` as an item. A semicolon between spaces parts two items: text from outside may not hold one. */
export function itemOf(text: string): Item {
  const item = shorten(text, MAX_ITEM);
  return item.text.includes(' ;') ? { ...item, text: item.text.replaceAll(' ;', ' ,') } : item;
}

/**
 * The extension of an event while it is being filled: clean values, each of the type and length that the
 * dictionary asks for, not yet escaped. The first value of a key stays.
 */
export class Draft {
  readonly values = new Map<Key, string>();
  /** What cs5 holds; see `place.ts`. */
  cs5Label = '';
  /** Items of cs6, in order. */
  readonly items: Item[] = [];
  /** Keys whose value was shortened, or moved to cs6 because it was too long for its key. */
  readonly shortened = new Set<string>();
  /** Values that their key cannot hold; they become items after the evidence. */
  readonly #misfits: string[] = [];

  has(key: Key): boolean {
    return this.values.has(key);
  }

  /** Puts `value` under `key` when it says something and the key is free. */
  set(key: Key, value: string): void {
    if (value === '' || this.values.has(key)) return;
    const { type, max = 0 } = dictionary[key];
    if (type === 'text' || type === 'identifier') this.#setText(key, value, max, type);
    else this.#setTyped(key, value, type);
  }

  /** Adds an item to cs6. */
  item(text: string): void {
    const item = itemOf(text);
    if (item.text !== '') this.items.push(item);
  }

  /** The values that found no place, as items. */
  itemsOfMisfits(): void {
    for (const misfit of this.#misfits) this.item(misfit);
  }

  #setText(key: Key, value: string, max: number, type: 'text' | 'identifier'): void {
    const { text, cut } = shorten(value, max);
    if (cut) this.shortened.add(key);
    if (cut && type === 'identifier') this.#misfits.push(`${key}:${value}`);
    else if (text !== '') this.values.set(key, text);
  }

  #setTyped(key: Key, value: string, type: Exclude<KeyType, 'text' | 'identifier'>): void {
    const typed = typedAs(type, value.length > 64 ? '' : clean(value));
    if (typed === undefined) this.#misfits.push(`${key}:${value}`);
    else this.values.set(key, typed);
  }
}

const MAX_INTEGER = String(2n ** 31n - 1n);
const MAX_LONG = String(2n ** 63n - 1n);

function typedAs(type: Exclude<KeyType, 'text' | 'identifier'>, value: string): string | undefined {
  switch (type) {
    case 'integer':
      return whole(value, MAX_INTEGER);
    case 'long':
    case 'time':
      return whole(value, MAX_LONG);
    case 'mac':
      return parseMac(value);
    default: {
      const address = parseAddress(value);
      return address && (type === 'ipv4') === (address.family === 4) ? address.text : undefined;
    }
  }
}

/** Without leading zeros: Elastic reads `010` as eight. */
function whole(value: string, max: string): string | undefined {
  if (!/^\d{1,19}$/.test(value)) return undefined;
  const digits = value.startsWith('0') ? value.replace(/^0+(?=\d)/, '') : value;
  // Of as many digits the larger number is the larger text.
  return digits.length < max.length || (digits.length === max.length && digits <= max) ? digits : undefined;
}
