/**
 * A process that sends four batches of three events, puts the file aside before each one but the first and compresses
 * what is older: PATH STEP. It is killed before its STEP-th use of the file system, and prints the number of each
 * batch that was confirmed.
 */
import { writeSync } from 'node:fs';
import { aRecord } from '../../support/records.ts';
import { utf8 } from '../../support/utf8.ts';
import { aFileSink, deliver, never, watchedFs } from './files.ts';

const [path = '', step = ''] = process.argv.slice(2);
let steps = 0;
const fs = watchedFs(() => {
  steps++;
  if (steps === Number(step)) process.kill(process.pid, 'SIGKILL');
});
const rotation = { maxBytes: 30, everyMs: undefined, keep: 100, compress: 'gzip' } as const;
const sink = aFileSink(path, { fs, rotation });
await sink.open(never);
for (let batch = 0; batch < 4; batch++) {
  const from = batch * 3 + 1;
  const events = utf8(...[from, from + 1, from + 2].map((number) => `event ${number}`));
  await deliver(sink, [{ record: aRecord({ id: `alert-${from}` }), stream: 1, sequence: from, events }]);
  writeSync(1, `${batch}\n`);
}
await sink.close();
