import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';

/** A network namespace of its own, with a link to ours that can be made to swallow everything. */
export interface Namespace {
  /** What is there is reached at this address. */
  readonly address: string;
  /** Put before a command, runs it in there. */
  readonly prefix: readonly string[];
  /** From now on no packet goes in or out; nobody is told, by FIN, reset or ICMP. */
  vanish(): void;
  heal(): void;
  close(): void;
}

/** Throws with the reason where this machine has none: not root, or a kernel without them. */
export function makeNamespace(): Namespace {
  // Tests run side by side: each gets a name and a net of four addresses by chance, from 198.18.0.0/15 (RFC 2544).
  const number = randomInt(2 ** 14);
  const name = `relay-${number}`;
  const address = (last: number) => `198.18.${number >> 6}.${((number & 63) << 2) + last}`;
  const inside = (command: string) => run(`ip netns exec ${name} ${command}`);
  const close = () => {
    // The link goes with it, but only some time after.
    run(`ip link delete ${name}`, { mayFail: true });
    run(`ip netns delete ${name}`, { mayFail: true });
  };
  run(`ip netns add ${name}`);
  try {
    run(`ip link add ${name} type veth peer name far netns ${name}`);
    run(`ip address add ${address(1)}/30 dev ${name}`);
    run(`ip link set ${name} up`);
    inside(`ip address add ${address(2)}/30 dev far`);
    inside('ip link set far up');
    inside('iptables -L');
  } catch (error) {
    close();
    throw error;
  }
  return {
    address: address(2),
    prefix: ['ip', 'netns', 'exec', name],
    vanish() {
      for (const chain of ['INPUT', 'OUTPUT']) inside(`iptables -A ${chain} -j DROP`);
    },
    heal: () => inside('iptables -F'),
    close,
  };
}

function run(line: string, { mayFail = false } = {}): void {
  const [command, ...args] = line.split(' ');
  try {
    execFileSync(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    if (!mayFail) throw error;
  }
}
