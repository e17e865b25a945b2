import { keyOf } from '../src/simulator/time.ts';
import { FIRST_MS } from './alerts.ts';

/** Alerts of some hundred bytes, of which millions fit on a disk; their ids are in no order, as Microsoft's. */
export const smallAlerts = {
  page(_head: object, from: number, to: number): Buffer {
    const value = Array.from({ length: to - from }, (_, index) => smallAlert(from + index));
    return Buffer.from(JSON.stringify({ value }));
  },
};

function smallAlert(number: number): object {
  const time = keyOf(FIRST_MS + number, 1);
  return {
    id: `da${scrambled(number)}_${scrambled(number ^ 0x5bd1e995)}`,
    title: 'Suspicious sign-in',
    severity: 'medium',
    status: 'new',
    category: 'InitialAccess',
    serviceSource: 'microsoftDefenderForEndpoint',
    createdDateTime: time,
    lastUpdateDateTime: time,
    evidence: [],
  };
}

/** One to one: multiplied by an odd number. */
const scrambled = (number: number): string =>
  (Math.imul(number, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
