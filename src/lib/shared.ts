/** Small enough for the memory of those that are garbage to be used again at once (decision 15), and not to be held on to by one that is not. */
const SLAB_BYTES = 2 ** 16;

let slab = new SharedArrayBuffer(0);
let used = 0;

/** A copy of bytes, in memory that other threads see when they are sent it. Nobody may change it. */
export function shared(bytes: Uint8Array): Uint8Array {
  if (used + bytes.length > slab.byteLength) {
    slab = new SharedArrayBuffer(Math.max(SLAB_BYTES, bytes.length));
    used = 0;
  }
  const copy = new Uint8Array(slab, used, bytes.length);
  copy.set(bytes);
  used += bytes.length;
  return copy;
}
