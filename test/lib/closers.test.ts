import { describe, expect, it } from 'vitest';
import { Closers } from '../../src/lib/closers.ts';

function scene() {
  const closed: string[] = [];
  const thing = (name: string, fails = false) => ({
    async close() {
      await new Promise(setImmediate);
      closed.push(name);
      if (fails) throw new Error(`${name} is stuck`);
    },
  });
  return { closed, thing, closers: new Closers() };
}

describe('Closers', () => {
  it('closes the last first, one after the other', async () => {
    const { closed, thing, closers } = scene();
    for (const name of ['journal', 'source', 'sink']) closers.add(name, thing(name));
    await closers.close();
    expect(closed).toEqual(['sink', 'source', 'journal']);
  });

  it('gives back what it was given', () => {
    const { thing, closers } = scene();
    const sink = thing('sink');
    expect(closers.add('sink', sink)).toBe(sink);
  });

  it('closes all of it even when some fail, and names those', async () => {
    const { closed, thing, closers } = scene();
    closers.add('journal', thing('journal'));
    closers.add('source', thing('source', true));
    closers.add('sink', {
      close() {
        throw new Error('at once');
      },
    });
    const failure: AggregateError = await closers.close().then(
      () => expect.fail('it closed'),
      (error) => error,
    );
    expect(closed).toEqual(['source', 'journal']);
    expect(failure).toBeInstanceOf(AggregateError);
    expect(failure.errors.map(String)).toEqual([
      'Error: closing sink failed',
      'Error: closing source failed',
    ]);
    expect(failure.errors[1].cause.message).toBe('source is stuck');
  });

  it('closes each thing once, also when asked twice at the same time', async () => {
    const { closed, thing, closers } = scene();
    closers.add('a', thing('a'));
    closers.add('b', thing('b'));
    await Promise.all([closers.close(), closers.close()]);
    await closers.close();
    expect(closed.toSorted()).toEqual(['a', 'b']);
  });
});
