/** A process that works on ten records of a page under a mark and is killed by one of them: FILE INDEX. */
import { MarkFile } from '../../src/journal/mark.ts';
import { quiet } from './harness.ts';

const [file = '', deadly = ''] = process.argv.slice(2);
const mark = new MarkFile(file, quiet);
const place = { sink: 'siem', first: { batch: 3, index: 0 }, last: { batch: 3, index: 9 } };
mark.during(place, () => {
  for (let index = 0; index < 10; index++) {
    if (mark.touch({ batch: 3, index }) && index === Number(deadly)) process.kill(process.pid, 'SIGKILL');
  }
});
