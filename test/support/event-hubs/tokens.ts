import { createHmac } from 'node:crypto';

/** The resource that Entra ID issues tokens for Event Hubs to. */
const AUDIENCE = 'https://eventhubs.azure.net';

export interface Keys {
  /** Shared access keys by the name of their policy. */
  readonly keys: Readonly<Record<string, string>>;
  /** What the token must be for: `sb://HOST/HUB`, and what is below it. */
  readonly audience: string;
  /** Seconds since 1970. */
  readonly nowS: number;
}

/** What is wrong with a token of `put-token`, in words like those of Event Hubs; `undefined` when it is good. */
export function whyNotLetIn(type: string, token: string, given: Keys): string | undefined {
  if (type === 'jwt') return whyNotJwt(token, given.nowS);
  if (type === 'servicebus.windows.net:sastoken') return whyNotSas(token, given);
  return `InvalidToken: no such type of token: ${type}`;
}

function whyNotSas(token: string, { keys, audience, nowS }: Keys): string | undefined {
  if (!token.startsWith('SharedAccessSignature ')) return 'MalformedToken: The token is malformed.';
  const fields = new Map(
    token
      .slice('SharedAccessSignature '.length)
      .split('&')
      .map((field) => {
        const at = field.indexOf('=');
        return [field.slice(0, at), decodeURIComponent(field.slice(at + 1))] as const;
      }),
  );
  const { sr = '', sig = '', se = '', skn = '' } = Object.fromEntries(fields);
  const key = Object.hasOwn(keys, skn) ? keys[skn] : undefined;
  const signed = createHmac('sha256', key ?? '')
    .update(`${encodeURIComponent(sr)}\n${se}`)
    .digest('base64');
  // What the real one says, whose log must be usable all the same: the name, and never the key.
  if (key === undefined || signed !== sig)
    return `InvalidSignature: The token has an invalid signature. (${skn})`;
  if (Number(se) <= nowS) return `ExpiredToken: The token is expired. Expiration time: ${se}`;
  if (
    sr.toLowerCase() !== audience.toLowerCase() &&
    !audience.toLowerCase().startsWith(`${sr.toLowerCase()}/`)
  )
    return `InvalidAudience: The authorization header contains a token for ${sr}, which is not ${audience}`;
  return undefined;
}

function whyNotJwt(token: string, nowS: number): string | undefined {
  let claims: { aud?: unknown; exp?: unknown };
  try {
    claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  } catch {
    return 'MalformedToken: The token is malformed.';
  }
  const { aud, exp } = claims;
  if (typeof aud !== 'string' || aud.replace(/\/+$/, '') !== AUDIENCE)
    return `InvalidAudience: The token is for ${String(aud)}`;
  if (typeof exp !== 'number' || exp <= nowS)
    return `ExpiredToken: The token is expired. Expiration time: ${exp}`;
  return undefined;
}

/** An access token as Entra ID issues them, with a signature that nobody checks here. */
export function aJwt(claims: { readonly aud?: string; readonly exp?: number } = {}): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const whole = { aud: AUDIENCE, exp: Math.floor(Date.now() / 1000) + 3600, ...claims };
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(whole)}.c2lnbmF0dXJl`;
}
