import type { Agent as HttpAgent } from 'node:http';
import { Agent } from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import { UsageError } from '../core/errors.ts';
import { readTextFile } from '../lib/files.ts';
import { Reread, type RereadOptions } from '../lib/reread.ts';
import { certificatesOf } from './certificate.ts';
import type { TenantSettings } from './tenant.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The way to a tenant, for its token requests and for Graph alike: CA certificates, proxy, kept connections. All
 * in one `https.Agent`, because the proxy option of Azure's SDK drops the CA without a word.
 */
export interface TenantAgent {
  /** For the next request; another one after the CA file or the proxy's password has changed. */
  current(): Agent;
  /** The proxy in the words of a message (`proxy http://proxy:3128`), if there may be one on the way. */
  readonly via: string | undefined;
  /** What is wrong with the files that it is made of, so that older ones are in use. */
  troubles(): string[];
  close(): void;
}

/**
 * Reads the tenant's CA file; connects nowhere yet.
 *
 * @throws {UsageError} the CA file cannot be used
 */
export function openAgent(
  settings: TenantSettings,
  env: Environment = process.env,
  reread: RereadOptions = {},
): TenantAgent {
  const { ca, proxyLogin } = settings;
  const file =
    ca === undefined ? undefined : new Reread(firstCa(settings.name, ca), () => readCa(ca), reread);
  let made = makeAgent();

  function makeAgent() {
    const pem = file?.value();
    const password = proxyLogin?.password.reveal();
    const agent = new Agent({
      keepAlive: true,
      // `ca` takes the place of Node's own certificates. Made once: an agent that is given `ca` itself reads all of them
      // for each connection, and strings them together for each request.
      ...(pem !== undefined && {
        secureContext: createSecureContext({ ca: [...getCACertificates('default'), pem] }),
      }),
      proxyEnv: proxyEnvOf(settings, env),
    });
    return { agent, pem, password };
  }

  const current = (): Agent => {
    if (file?.value() !== made.pem || proxyLogin?.password.reveal() !== made.password) {
      retire(made.agent);
      made = makeAgent();
    }
    return made.agent;
  };

  return {
    current,
    via: viaOf(settings, env),
    troubles() {
      // Looks at the files, if that is due.
      current();
      return [file?.trouble, proxyLogin?.password.trouble].filter((trouble) => trouble !== undefined);
    },
    close: () => made.agent.destroy(),
  };
}

function firstCa(tenant: string, file: string): string {
  try {
    return readCa(file);
  } catch (error) {
    throw new UsageError(`tenant ${tenant}: ca: ${(error as Error).message}`);
  }
}

/**
 * The CA certificates in a file, as PEM.
 *
 * @throws {Error} with a message for people
 */
export function readCa(file: string): string {
  const pem = readTextFile(file);
  try {
    certificatesOf(pem);
  } catch (error) {
    throw new Error(`file ${file} ${(error as Error).message}`);
  }
  return pem;
}

/** Closes what is idle now, and the rest once it is. */
export function retire(agent: HttpAgent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}

/** A proxy by its settings, or by the environment. */
export type ProxySettings = Pick<TenantSettings, 'proxy' | 'proxyLogin'>;

/**
 * As an agent of Node takes it, with the password that counts now.
 *
 * @throws {UsageError} HTTPS_PROXY is no address
 */
export function proxyEnvOf({ proxy, proxyLogin }: ProxySettings, env: Environment) {
  if (proxy === undefined) return proxyOfEnvironment(env);
  return { HTTPS_PROXY: withLogin(proxy, proxyLogin?.user, proxyLogin?.password.reveal()) };
}

/** The proxy in the words of a message, if there may be one on the way. */
export function viaOf({ proxy }: ProxySettings, env: Environment): string | undefined {
  return proxy === undefined ? namedByEnvironment(env) : `proxy ${proxy}`;
}

function withLogin(proxy: string, user: string | undefined, password: string | undefined): string {
  if (user === undefined || password === undefined) return proxy;
  const url = new URL(proxy);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  return url.href;
}

/** @throws {UsageError} it is no address */
function httpsProxy(env: Environment): URL | undefined {
  const text = env.https_proxy || env.HTTPS_PROXY;
  if (!text) return undefined;
  // Node takes a proxy without `http://` for none at all; curl and others do not.
  const address = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(address))
    throw new UsageError('HTTPS_PROXY is not the address of a proxy (http://proxy:3128)');
  const url = new URL(address);
  // As Node does, for whom others are no proxies of its own.
  return /^https?:$/.test(url.protocol) ? url : undefined;
}

function proxyOfEnvironment(env: Environment) {
  return { HTTPS_PROXY: httpsProxy(env)?.href, NO_PROXY: env.no_proxy || env.NO_PROXY };
}

/** Without user and password. */
function namedByEnvironment(env: Environment): string | undefined {
  const url = httpsProxy(env);
  return url && `HTTPS_PROXY ${url.origin}`;
}
