import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/core/errors.ts';
import { explain } from '../../../src/sinks/syslog/explain.ts';

const withCode = (code: string) => Object.assign(new Error(`connect ${code}`), { code });

describe('explain()', () => {
  it.each([
    ['ECONNREFUSED', 'network', 'nothing listens there'],
    ['ENOTFOUND', 'network', 'the name is not known'],
    ['EAI_AGAIN', 'network', 'DNS'],
    ['ETIMEDOUT', 'timeout', 'firewall'],
    ['ECONNRESET', 'network', 'reset the connection'],
    ['EMFILE', 'other', 'limit of open files'],
    ['ESOMETHING', 'network', 'connect ESOMETHING'],
  ])('says what %s means and where it happened', (code, reason, meaning) => {
    const error = explain('siem:514', 'connecting', withCode(code));
    expect(error.message).toContain('connecting to siem:514 failed: ');
    expect(error.message).toContain(meaning);
    expect(error.message).toContain(`(${code})`);
    expect(error.reason).toBe(reason);
  });

  it('reads the code of an error that stands for several attempts', () => {
    const both = Object.assign(new AggregateError([withCode('ECONNREFUSED')]), { code: 'ECONNREFUSED' });
    expect(explain('siem:514', 'connecting', both).message).toContain('nothing listens there');
  });

  it('says something of anything', () => {
    expect(explain('siem:514', 'sending', new Error('odd')).message).toBe('sending to siem:514 failed: odd');
    expect(explain('siem:514', 'sending', 'odd').message).toBe('sending to siem:514 failed: odd');
  });

  it('leaves what has been explained as it is', () => {
    const explained = new UnavailableError('as said', { reason: 'other' });
    expect(explain('siem:514', 'sending', explained)).toBe(explained);
  });
});
