import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { testFolder } from './folder.ts';

/** Where a service tells systemd how it is. */
export interface NotifySocket {
  /** For the service. */
  readonly env: { readonly PATH: string; readonly NOTIFY_SOCKET: string };
  /** How often it has been told just that. */
  told(word: string): number;
}

/** What systemd does: takes datagrams at a Unix socket, which Node cannot. */
export async function notifySocket(): Promise<NotifySocket> {
  const socket = join(testFolder(), 'notify');
  const script = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True: print(s.recv(4096).decode(), flush=True)`;
  const child = spawn('/usr/bin/python3', ['-c', script, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  await once(child.stdout, 'data');
  return {
    env: { PATH: process.env.PATH ?? '', NOTIFY_SOCKET: socket },
    told: (word: string) => text.split('\n').filter((line) => line === word).length,
  };
}
