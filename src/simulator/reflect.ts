/**
 * The three functions of the `Reflect` metadata proposal that `@peculiar/x509` asks for at its import (through
 * tsyringe) and does not bring. To be imported before it.
 */
const metadata = new WeakMap<object, Map<unknown, unknown>>();

function getMetadata(key: unknown, target: object): unknown {
  return metadata.get(target)?.get(key);
}

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const known = metadata.get(target) ?? new Map<unknown, unknown>();
  metadata.set(target, known.set(key, value));
}

// Whoever came first (a real polyfill, say) stays.
if (!('defineMetadata' in Reflect)) {
  Object.assign(Reflect, { defineMetadata, getMetadata, getOwnMetadata: getMetadata });
}
