import { setTimeout as sleep } from 'node:timers/promises';
import type { Script } from '../support/collectors.ts';
import type { FaultCase } from './faulty-relay.ts';

const DAY_MS = 24 * 3_600_000;
/** Long enough ago that no overlap reads them again, and no sweep is due. */
const HISTORY_MS = 0.9 * DAY_MS;

/** Reads the first bytes of each of the first connections with any, and then, with more unread, does something else. */
const stopsReading = (action: Script): Script => {
  let stopped = 0;
  return (peer) =>
    peer.afterBytes(1, () => {
      if (++stopped > 2) return;
      peer.socket.pause();
      action(peer);
    });
};
const resetsUnread = () => stopsReading((peer) => void setTimeout(peer.reset, 300));
const endsUnread = () =>
  stopsReading((peer) => {
    setTimeout(() => peer.socket.end(), 60);
    setTimeout(peer.reset, 500);
  });
const resetsAtOnce: Script = (peer) => peer.reset();

/** Deliberate faults of the relay, each with a scene that shows it. */
const startedAgain: FaultCase['play'] = async ({ told, restart }) => {
  await told(30);
  await restart('SIGTERM');
};

export const faults: readonly FaultCase[] = [
  {
    fault: 'the cursor moves before the confirmation',
    edits: [
      {
        file: 'pipeline/deliver.ts',
        find: 'const result = await (await receipt).confirmed;',
        put: 'await receipt; const result = NOTHING;',
      },
    ],
    finds: ['lost'],
    simulator: { alerts: 400, rate: 0 },
    receiver: resetsUnread,
    mayRepeat: 1_000,
  },
  {
    fault: 'the checkpoint is committed before the records',
    edits: [
      {
        file: 'pipeline/ingest.ts',
        find: 'const appended = await journal.append({ ...append, ...since, ...news });',
        put: `await journal.append({ ...append, records: [] });
          await new Promise((resolve) => setTimeout(resolve, 1_000));
          const appended = await journal.append({ ...append, ...since, ...news });`,
      },
    ],
    finds: ['lost'],
    simulator: { alerts: 100, rate: 0, historyMs: HISTORY_MS },
    mayRepeat: 1_000,
    async play({ simulator, until, restart }) {
      await until(() => simulator.account.answers.some(({ alerts }) => alerts.length > 1));
      await sleep(500);
      await restart('SIGKILL');
    },
  },
  {
    fault: 'the first page is taken for all',
    edits: [
      {
        file: 'sources/graph-alerts/reading.ts',
        find: 'next === undefined && !full && (count !== undefined || !most || isTick(slice));',
        put: 'true;',
      },
      {
        file: 'sources/graph-alerts/reading.ts',
        find: 'if (last.count === last.rows)',
        put: 'if (last)',
      },
    ],
    finds: ['lost'],
    simulator: { alerts: 300, rate: 0, historyMs: HISTORY_MS, maxTop: 100 },
  },
  {
    fault: 'any FIN of the receiver is taken for proof',
    edits: [
      { file: 'sinks/syslog/confirm.ts', find: "'their-fin': 'unproved',", put: "'their-fin': 'proved'," },
      {
        file: 'sinks/syslog/syslog-sink.ts',
        find: 'if (!this.#writing && this.#unconfirmed.length === 0 && !isTold)',
        put: `if (happening === 'their-fin') for (const each of this.#forget()) each.resolve(each.result);
        if (!this.#writing && this.#unconfirmed.length === 0 && !isTold)`,
      },
    ],
    finds: ['lost'],
    simulator: { alerts: 400, rate: 0 },
    receiver: endsUnread,
    mayRepeat: 1_000,
  },
  {
    fault: 'gt in the place of ge',
    edits: [
      {
        file: 'sources/graph-alerts/slice.ts',
        find: 'lastUpdateDateTime ge $',
        put: 'lastUpdateDateTime gt $',
      },
    ],
    finds: ['lost'],
    simulator: { alerts: 0, backlog: 300, backlogTies: 200, maxTop: 100 },
  },
  {
    fault: 'sends overtake each other',
    edits: [
      {
        file: 'pipeline/deliver.ts',
        find: 'concurrency: options.maxInFlight',
        put: 'concurrency: 8',
      },
      {
        file: 'pipeline/deliver.ts',
        find: 'const started = options.now();',
        put: `const started = options.now();
        const isUpdate = rendered.some(({ record }) => record.outcome === 'update');
        if (isUpdate && !globalThis.overtaken) await new Promise((resolve) => { globalThis.overtaken = resolve; });`,
      },
      {
        file: 'pipeline/deliver.ts',
        find: 'const receipt = await sink.send(rendered, carrying);',
        put: 'const receipt = await sink.send(rendered, carrying); globalThis.overtaken?.();',
      },
    ],
    finds: ['out of order'],
    simulator: { alerts: 30, rate: 0 },
    async play({ simulator, told, given }) {
      await told(30);
      const ids = [...simulator.account.newest().keys()];
      for (let time = 0; time < 2; time++) {
        simulator.update(ids);
        await given();
      }
    },
  },
  {
    fault: 'an alert is known by its id alone',
    edits: [
      {
        file: 'journal/outcome.ts',
        find: 'if (fingerprints.length > 0) {',
        put: "if (newest !== undefined) return 'duplicate'; if (fingerprints.length > 0) {",
      },
    ],
    finds: ['lost', 'out of order'],
    simulator: { alerts: 30, rate: 0 },
    async play({ simulator, told }) {
      await told(30);
      simulator.update(10);
    },
  },
  {
    fault: 'times are cut to milliseconds',
    edits: [
      { file: 'core/ticks.ts', find: "fraction.padEnd(7, '0')", put: "fraction.slice(0, 3).padEnd(7, '0')" },
    ],
    finds: ['lost', 'out of order', 'never raised', 'not live'],
    simulator: { alerts: 30, rate: 0 },
  },
  {
    fault: 'nothing is read again for what becomes visible late',
    edits: [
      {
        file: 'sources/graph-alerts/plan.ts',
        find: 'later(start, watermark - ticks(settle))',
        put: 'later(start, watermark)',
      },
      {
        file: 'sources/graph-alerts/plan.ts',
        find: 'since >= everyOf(kind, depths) || since < 0',
        put: 'false',
      },
    ],
    finds: ['lost'],
    simulator: { alerts: 10, rate: 0, faults: { late: 0.5 }, lateMs: [4_000, 4_500] },
    async play({ simulator, given, told, until }) {
      await told(1);
      simulator.raise(20);
      simulator.raise(1, { tied: true });
      await given();
      await until(() => simulator.account.pending === 0);
    },
  },
  {
    fault: 'integers lose their last digits',
    edits: [{ file: 'lib/json.ts', find: 'return hasLong(value) ?', put: 'return false ?' }],
    finds: ['altered'],
    simulator: {
      input: [1n, 2n, 3n].map((n) => ({
        id: `long-${n}`,
        createdDateTime: '2026-01-01T00:00:00Z',
        lastUpdateDateTime: new Date(Date.now() - 60_000).toISOString(),
        evidence: [{ '@odata.type': '#microsoft.graph.security.processEvidence', processId: 2n ** 60n + n }],
      })),
    },
    format: 'json',
  },
  {
    fault: 'cursors are not stored',
    edits: [{ file: 'journal/store.ts', find: 'this.#sinks.put({ ...row, cursor, sequence });', put: '' }],
    finds: ['duplicated'],
    simulator: { alerts: 30, rate: 0 },
    play: startedAgain,
  },
  {
    fault: 'running numbers are not stored',
    edits: [
      {
        file: 'journal/store.ts',
        find: 'this.#sinks.put({ ...row, cursor, sequence });',
        put: 'this.#sinks.put({ ...row, cursor });',
      },
    ],
    finds: ['renumbered'],
    simulator: { alerts: 30, rate: 0 },
    play: startedAgain,
  },
  {
    fault: 'a sink that was reset is not tried again',
    edits: [
      {
        file: 'pipeline/restarted.ts',
        find: 'await wait(waitMs, signal)',
        put: `await wait(${DAY_MS}, signal)`,
      },
    ],
    finds: ['lost', 'not live'],
    simulator: { alerts: 30, rate: 0 },
    mayRepeat: 1_000,
    async play({ simulator, receiver, told, given }) {
      await told(30);
      receiver.play(resetsAtOnce);
      receiver.resetAll();
      simulator.raise(5);
      await given();
      await sleep(1_000);
      receiver.play(() => {});
    },
  },
];
