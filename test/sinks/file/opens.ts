/** A process that writes two lines, with rotation between them, and prints how that went: PATH. */
import { aRecord } from '../../support/records.ts';
import { utf8 } from '../../support/utf8.ts';
import { aFileSink, deliver, never } from './files.ts';

const [path = ''] = process.argv.slice(2);
const sink = aFileSink(path, { rotation: { maxBytes: 1, everyMs: undefined, keep: 1, compress: undefined } });
try {
  await sink.open(never);
  for (const sequence of [1, 2]) {
    await deliver(sink, [{ record: aRecord(), stream: 1, sequence, events: utf8(`event ${sequence}`) }]);
  }
  console.log(['written', ...sink.notes().map((note) => note.replace(`${path} `, ''))].join('; '));
} catch (error) {
  console.log(String(error));
}
await sink.close();
