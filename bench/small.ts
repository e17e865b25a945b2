import { smallAlert } from '../scripts/small-alert.ts';
import { keyOf } from '../src/simulator/time.ts';
import { FIRST_MS } from './alerts.ts';

/** Small alerts whose ids are in no order, as Microsoft's. */
export const smallAlerts = {
  page(_head: object, from: number, to: number): Buffer {
    const value = Array.from({ length: to - from }, (_, index) => alertAt(from + index));
    return Buffer.from(JSON.stringify({ value }));
  },
};

const alertAt = (number: number) =>
  smallAlert(`da${scrambled(number)}_${scrambled(number ^ 0x5bd1e995)}`, keyOf(FIRST_MS + number, 1));

/** One to one: multiplied by an odd number. */
const scrambled = (number: number): string =>
  (Math.imul(number, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
