import { isIPv4, isIPv6 } from 'node:net';

export interface Address {
  readonly family: 4 | 6;
  readonly text: string;
}

/** `::ffff:192.0.2.1`, in text or in hexadecimal. */
const MAPPED = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([\da-f]{1,4}):([\da-f]{1,4}))$/;

/** An IP address without its zone; an IPv4-mapped one as IPv4. `undefined` when it is none. */
export function parseAddress(value: string): Address | undefined {
  // Names and nothing are asked about as often, and have no colon.
  if (!value.includes(':')) return isIPv4(value) ? { family: 4, text: value } : undefined;
  if (!isIPv6(value)) return undefined;
  const text = value.replace(/%.*$/, '').toLowerCase();
  const mapped = MAPPED.exec(text);
  if (!mapped) return { family: 6, text };
  const [, dotted, high = '0', low = '0'] = mapped;
  return { family: 4, text: dotted ?? [...octets(high), ...octets(low)].join('.') };
}

function octets(hex: string): readonly number[] {
  const value = Number.parseInt(hex, 16);
  return [value >> 8, value & 255];
}

/** Loopback, link-local, unspecified and multicast addresses say nothing about where a device is. */
export function isRoutable(address: Address): boolean {
  return address.family === 4
    ? !/^(?:0\.|127\.|169\.254\.|2(?:2[4-9]|[345]\d)\.)/.test(address.text)
    : !/^(?:::1?$|fe[89ab]|ff)/.test(address.text);
}

/** Unspecified and broadcast addresses are nobody's: products write them where they know none. */
export function isNobodys(address: Address): boolean {
  return ['0.0.0.0', '255.255.255.255', '::', '0:0:0:0:0:0:0:0'].includes(address.text);
}

/** A MAC address as six pairs with colons; `undefined` when it is none. */
export function parseMac(value: string): string | undefined {
  const digits = value.replace(/[:.-]/g, '');
  return /^[\da-f]{12}$/i.test(digits) ? digits.match(/../g)?.join(':') : undefined;
}
