import { expect, it } from 'vitest';
import { edited, editedFile } from '../support/edited-program.ts';
import { faults } from './faults.ts';

it.each(faults)(
  'the program has the place where $fault: if not, let test/process/faults.ts follow',
  ({ edits }) => {
    for (const edit of edits) expect(editedFile(edit)).toContain(edit.put);
  },
);

it('puts a fault only where it belongs', () => {
  const put = (find: string) => () => edited('a = 1; b = 1;', { file: 'a.ts', find, put: '2' });
  expect(put('a = 1')()).toBe('2; b = 1;');
  expect(put('1')).toThrow('src/a.ts has this not once, but 2 times: 1');
  expect(put('c')).toThrow('src/a.ts has this not once, but 0 times: c');
});
