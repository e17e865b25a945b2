import { foreignText } from '../../../net/foreign.ts';

/** What a receiver says to a command. */
export interface Answer {
  readonly code: number;
  /** Fit for a message. */
  readonly text: string;
  /** What follows the first line. */
  readonly rest: string;
}

/** `200 OK`, and perhaps more lines; `undefined` for what is none. */
export function parseAnswer(data: Buffer): Answer | undefined {
  const [, code, text, rest = ''] = /^(\d{3})(?: ([^\n]*))?(?:\n(.*))?$/s.exec(data.toString('utf8')) ?? [];
  return code === undefined ? undefined : { code: Number(code), text: foreignText(text, []), rest };
}

/**
 * What the relay offers. The version is 0, as librelp has it, although the specification has 1. That also puts a
 * line feed before the first offer, which librelp does not understand.
 */
export const OFFERS = 'relp_version=0\nrelp_software=defender-relay\ncommands=syslog';

/** Why a receiver cannot be worked with that answered {@link OFFERS} so, as the end of a sentence about it. */
export function whyUnfit({ code, text, rest }: Answer): string | undefined {
  if (code !== 200) return `it refused the session: ${said(code, text)}`;
  const offers = new Map(
    rest.split('\n').map((line) => {
      const [name = '', ...value] = line.split('=');
      return [name.trim(), value.join('=').trim()];
    }),
  );
  if (!/^[01]$/.test(offers.get('relp_version') ?? '')) return 'it does not say that it speaks RELP 0 or 1';
  const commands = (offers.get('commands') ?? '').split(',').map((command) => command.trim());
  return commands.includes('syslog') ? undefined : 'it does not take the command "syslog"';
}

/** What becomes of an event that was answered. */
export type Verdict = 'accepted' | 'refused' | 'unavailable';

/**
 * 200 is the only yes. 500, and what else begins with 5, is a no to this event. What else may come has no meaning in
 * RELP, and so says nothing of the event: it is kept.
 */
export function verdictOf({ code }: Answer): Verdict {
  if (code === 200) return 'accepted';
  return code >= 500 && code <= 599 ? 'refused' : 'unavailable';
}

export function said(code: number, text: string): string {
  return text === '' ? String(code) : `${code} ${text}`;
}
