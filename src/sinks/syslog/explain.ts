import { UnavailableError, type UnavailableReason } from '../../core/errors.ts';

/** What the codes of the operating system and of Node mean here, and what to do. */
const meanings: Readonly<Record<string, readonly [reason: UnavailableReason, meaning: string]>> = {
  ECONNREFUSED: [
    'network',
    'nothing listens there. Is the receiver running? Check host and port of the sink',
  ],
  ENOTFOUND: ['network', 'the name is not known. Check host of the sink, and the DNS of this machine'],
  EAI_AGAIN: ['network', 'the DNS of this machine does not answer'],
  ETIMEDOUT: ['timeout', 'no answer. Is the host up, and does a firewall let this port through?'],
  EHOSTUNREACH: ['network', 'there is no way to that host. Check the network and its firewalls'],
  ENETUNREACH: ['network', 'there is no way to that network. Check the routes of this machine'],
  ECONNRESET: [
    'network',
    'the receiver reset the connection. Was it stopped? Else its log says what it did not like',
  ],
  ECONNABORTED: ['network', 'the connection was broken off'],
  EPIPE: ['network', 'the receiver has closed the connection. Its log says why'],
  EACCES: ['other', 'this machine does not let the relay connect there'],
  EMSGSIZE: ['request', 'the event is larger than the network takes at once. Lower maxEventBytes'],
  EMFILE: ['other', 'the relay has too many files open. Raise its limit of open files'],
};

/** An error of a socket, in words for people. `doing` is what failed: `connecting`, `sending`. */
export function explain(peer: string, doing: string, cause: unknown): UnavailableError {
  if (cause instanceof UnavailableError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
  const [reason, meaning] = meanings[code ?? ''] ?? [
    'network',
    cause instanceof Error ? cause.message : String(cause),
  ];
  const told = code === undefined ? meaning : `${meaning} (${code})`;
  return new UnavailableError(`${doing} to ${peer} failed: ${told}`, { reason, cause });
}
