import type { Secret } from '../../lib/secret.ts';
import type { ClientCredentials } from '../../net/client-credentials.ts';

export type AuthSettings =
  | { readonly type: 'none' }
  | { readonly type: 'basic'; readonly user: string; readonly password: Secret }
  | { readonly type: 'bearer'; readonly token: Secret }
  | { readonly type: 'api-key'; readonly header: string; readonly key: Secret };

/** How a sink shows who it is. */
export interface Auth {
  /**
   * Headers for a request.
   *
   * @param refused those that the far end did not take: newer ones are wanted, if there are any
   */
  headers(refused?: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>;
  /** Texts that nobody may read. */
  secrets(): readonly string[];
  close(): void;
}

/** Credentials that stand in the config. */
export function staticAuth(settings: AuthSettings): Auth {
  const secret = secretOf(settings);
  const made = () => headersOf(settings);
  return {
    async headers(refused) {
      // It may have been replaced since.
      if (refused) secret?.look();
      return made();
    },
    secrets: () => [
      ...(secret?.revealAll() ?? []),
      ...Object.values(made()).map((value) => value.replace(/^\w+ /, '')),
    ],
    close: () => {},
  };
}

/** A token for each request, out of a cache. */
export function tokenAuth(credentials: ClientCredentials): Auth {
  return {
    async headers(refused) {
      const token = await credentials.token(refused?.authorization?.replace(/^Bearer /, ''));
      return { authorization: `Bearer ${token}` };
    },
    secrets: () => credentials.secrets,
    close: () => credentials.close(),
  };
}

function secretOf(settings: AuthSettings): Secret | undefined {
  if (settings.type === 'basic') return settings.password;
  if (settings.type === 'bearer') return settings.token;
  return settings.type === 'api-key' ? settings.key : undefined;
}

function headersOf(settings: AuthSettings): Record<string, string> {
  if (settings.type === 'basic') {
    const pair = Buffer.from(`${settings.user}:${settings.password.reveal()}`).toString('base64');
    return { authorization: `Basic ${pair}` };
  }
  if (settings.type === 'bearer') return { authorization: `Bearer ${settings.token.reveal()}` };
  if (settings.type === 'api-key') return { [settings.header.toLowerCase()]: settings.key.reveal() };
  return {};
}
