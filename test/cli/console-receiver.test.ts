import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConsoleReceiver } from '../../src/cli/console-receiver.ts';

async function scene() {
  const shown: string[] = [];
  const receiver = new ConsoleReceiver((event) => shown.push(event));
  onTestFinished(() => receiver.close());
  const port = await receiver.open();
  const dial = async (): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.resume().on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  return { receiver, shown, dial };
}

describe('ConsoleReceiver', () => {
  it('shows each event without its header, and counts what comes twice', async () => {
    const { receiver, shown, dial } = await scene();
    const socket = await dial();
    socket.end('<13>1 - a CEF:0|one\n<13>1 - b CEF:0|two\n<13>1 - a CEF:0|one\nno header\n');
    await once(socket, 'end');
    expect(shown).toEqual(['CEF:0|one', 'CEF:0|two', 'CEF:0|one', 'no header']);
    expect(receiver.lines.size).toBe(3);
    expect(receiver.duplicates).toBe(1);
  });

  it('answers a close only when it has read all: that is the confirmation', async () => {
    const { receiver, dial } = await scene();
    const socket = await dial();
    socket.end('x'.repeat(1_000_000).replaceAll('xxxxxxxxxx', (_, at) => `${String(at).padStart(9, '0')}\n`));
    await once(socket, 'end');
    expect(receiver.lines.size).toBe(100_000);
    expect(receiver.duplicates).toBe(0);
  });

  it('counts records, of which large ones come in parts', async () => {
    const { receiver, dial } = await scene();
    const socket = await dial();
    const ids = [
      'externalId=a devicePayloadId=7',
      'externalId=b devicePayloadId=7:1/2',
      'externalId=b devicePayloadId=7:2/2',
      'externalId=b devicePayloadId=7:2/2',
      'externalId=b devicePayloadId=8',
    ];
    socket.end(ids.map((id) => `<13>1 - x CEF:0|t|${id} cn3=1\n`).join(''));
    await once(socket, 'end');
    expect({ records: receiver.records, events: receiver.lines.size }).toEqual({ records: 3, events: 4 });
  });

  it('takes pieces together, whatever they are cut through', async () => {
    const { shown, dial } = await scene();
    const socket = await dial();
    for (const byte of Buffer.from('CEF:0|é€🦊|\n')) socket.write(Buffer.from([byte]));
    socket.end();
    await once(socket, 'end');
    expect(shown).toEqual(['CEF:0|é€🦊|']);
  });

  it('S4: ends an event at a line feed and nowhere else', async () => {
    const { receiver, dial } = await scene();
    const socket = await dial();
    socket.end('CEF:0|a\u2028b\u2029c\u0085d\re\n');
    await once(socket, 'end');
    expect([...receiver.lines.keys()]).toEqual(['CEF:0|a\u2028b\u2029c\u0085d\re']);
  });

  it('does not take the torn rest of a connection for an event', async () => {
    const { receiver, dial } = await scene();
    const socket = await dial();
    socket.end('CEF:0|whole\nCEF:0|to');
    await once(socket, 'end');
    expect([...receiver.lines.keys()]).toEqual(['CEF:0|whole']);
  });

  it('survives a connection that is reset', async () => {
    const { shown, dial } = await scene();
    const lost = await dial();
    lost.write('CEF:0|one\n');
    await expect.poll(() => shown).toEqual(['CEF:0|one']);
    lost.resetAndDestroy();
    const next = await dial();
    next.end('CEF:0|two\n');
    await once(next, 'end');
    expect(shown).toEqual(['CEF:0|one', 'CEF:0|two']);
  });

  it('closes under connections that are open, and twice', async () => {
    const { receiver, dial } = await scene();
    const socket = await dial();
    const closed = once(socket, 'close');
    socket.write('CEF:0|x\n');
    await receiver.close();
    socket.destroy();
    await closed;
    await receiver.close();
  });
});
