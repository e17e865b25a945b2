import { createHash } from 'node:crypto';
import type { Message } from 'rhea';

/** An event as a partition keeps it. */
export interface Kept {
  readonly message: Message;
  readonly partition: string;
  readonly sequenceNumber: number;
  readonly offset: string;
  readonly enqueuedMs: number;
}

export interface Partition {
  readonly id: string;
  readonly events: Kept[];
}

/** An event hub: partitions, each a log that is only ever added to. */
export class Hub {
  readonly name: string;
  readonly createdMs = Date.now();
  readonly partitions: readonly Partition[];
  /** All events of all partitions, in the order in which they came. */
  readonly events: Kept[] = [];
  #turn = 0;

  constructor(name: string, partitions: number) {
    this.name = name;
    this.partitions = Array.from({ length: partitions }, (_, id) => ({ id: String(id), events: [] }));
  }

  partition(id: string): Partition | undefined {
    return this.partitions.find((partition) => partition.id === id);
  }

  /** The same partition for the same key; without one each in its turn. */
  partitionFor(key: string | undefined): Partition {
    const number =
      key === undefined ? this.#turn++ : createHash('sha256').update(key).digest().readUInt32BE(0);
    return this.partitions[number % this.partitions.length] as Partition;
  }

  /** Keeps what came in one transfer: all of it in one partition, or nothing. */
  keep(messages: readonly Message[], { id, events }: Partition): void {
    for (const message of messages) {
      const sequenceNumber = events.length;
      // Offsets are opaque, and no numbers that count on by one.
      const kept = {
        message,
        partition: id,
        sequenceNumber,
        offset: String(sequenceNumber * 4096),
        enqueuedMs: Date.now(),
      };
      events.push(kept);
      this.events.push(kept);
    }
  }
}

/** Where a consumer begins, from the filter that the SDK sends as a selector. */
export function startIn({ events }: Partition, selector: string | undefined): number {
  const [, what, compare, value = ''] =
    /amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time) (>=?) '([^']*)'/.exec(selector ?? '') ??
    [];
  if (what === undefined || (what === 'offset' && value === '-1')) return 0;
  if (what === 'offset' && value === '@latest') return events.length;
  const first = events.findIndex((kept) => {
    const found =
      what === 'offset'
        ? Number(kept.offset)
        : what === 'sequence-number'
          ? kept.sequenceNumber
          : kept.enqueuedMs;
    return compare === '>=' ? found >= Number(value) : found > Number(value);
  });
  return first < 0 ? events.length : first;
}
