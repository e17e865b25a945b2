import type { UnavailableError } from '../core/errors.ts';
import type { Metrics } from './metrics.ts';
import type { Vitals } from './vitals.ts';

/** Who is told what happens to one source: the metrics, and what readiness and status go by. */
export function sourceObserver(counts: ReturnType<Metrics['source']>, vital: ReturnType<Vitals['source']>) {
  return {
    ...counts,
    healthy: vital.healthy,
    read() {
      counts.read();
      vital.read();
    },
    failed(reason: string, message: string) {
      counts.failed(reason);
      vital.failed(reason, message);
    },
    /** A fault that passes; the requests of the tenant are counted elsewhere. */
    waits({ reason, message }: UnavailableError) {
      vital.failed(reason, message);
    },
  };
}

/** The same for one sink. */
export function sinkObserver(counts: ReturnType<Metrics['sink']>, vital: ReturnType<Vitals['sink']>) {
  return {
    ...counts,
    healthy: vital.healthy,
    connected(connected: boolean) {
      counts.connected(connected);
      vital.connected(connected);
    },
    unconfirmed(records: number) {
      counts.unconfirmed(records);
      vital.unconfirmed(records);
    },
    delivered(createdMs: readonly number[]) {
      counts.delivered(createdMs);
      if (createdMs.length > 0) vital.delivered();
    },
    failed(reason: string, message: string) {
      counts.failed(reason);
      vital.failed(reason, message);
    },
  };
}
