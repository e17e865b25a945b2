import { z } from 'zod';
import { EXAMPLE, path, secret } from '../lib/fields.ts';

/** Microsoft's clouds: where Graph and its token authority are. */
export const clouds = {
  global: { graph: 'https://graph.microsoft.com', authority: 'https://login.microsoftonline.com' },
  usgov: { graph: 'https://graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  'usgov-dod': { graph: 'https://dod-graph.microsoft.us', authority: 'https://login.microsoftonline.us' },
  china: {
    graph: 'https://microsoftgraph.chinacloudapi.cn',
    authority: 'https://login.chinacloudapi.cn',
  },
} as const;

/** Whether Graph has alerts_v2, incidents and hunting in a cloud. China's has none of them in its schema. */
export function hasSecurityAlerts(cloud: string): boolean {
  return cloud !== 'china';
}

const origin = (what: string) =>
  z
    .url({
      protocol: /^https$/,
      error: `expected ${what}, an https address such as "https://graph.microsoft.com"`,
    })
    .transform((text) => new URL(text).origin);

/** `http://proxy:3128`. User and password are refused: what is in a text may be printed. */
export const proxyAddress = z
  .string()
  .transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (text.includes('@')) {
      // At a path below, so that no message repeats the text.
      const message = 'user and password do not belong in the address; write them as proxyLogin';
      context.addIssue({ code: 'custom', path: ['password'], message });
      return z.NEVER;
    }
    if (url && url.protocol === 'http:' && url.pathname === '/' && !url.search && !url.hash)
      return url.origin;
    context.addIssue({
      code: 'custom',
      message: 'expected the address of a proxy such as "http://proxy:3128"',
    });
    return z.NEVER;
  })
  .meta({ title: 'address' });

/** Milliseconds since 1970 of `2027-03-01` (its beginning, UTC) or `2027-03-01T12:00:00Z`. */
const moment = z
  .string()
  .transform((text, context) => {
    const isDate =
      z.iso.date().safeParse(text).success || z.iso.datetime({ offset: true }).safeParse(text).success;
    if (isDate) return Date.parse(text);
    context.addIssue({ code: 'custom', message: 'expected a date such as "2027-03-01"' });
    return z.NEVER;
  })
  .meta({ title: 'date' });

const clientId = () =>
  z
    .guid('expected a GUID (Entra ID, "Application (client) ID")')
    .or(z.literal('simulator'))
    .describe('Application (client) id.');

const credential = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('client-secret'),
      clientId: clientId(),
      clientSecret: secret()
        .describe('The secret’s value, not its id.')
        .meta({ [EXAMPLE]: `\${env:GRAPH_CLIENT_SECRET}` }),
      expires: moment
        .optional()
        .describe('Day on which the secret expires, to be warned: Entra ID does not tell it to an app.'),
    })
    .describe('A secret of the app registration.'),
  z
    .strictObject({
      type: z.literal('client-certificate'),
      clientId: clientId(),
      certificate: path()
        .describe('PEM file with private key (RSA), certificate and, if any, its chain.')
        .meta({ [EXAMPLE]: './relay.pem' }),
      password: secret().optional().describe('Password of an encrypted private key.'),
    })
    .describe('A certificate of the app registration.'),
  z
    .strictObject({
      type: z.literal('workload-identity'),
      clientId: clientId()
        .prefault(`\${env:AZURE_CLIENT_ID}`)
        .describe('Application (client) id; Kubernetes tells it where workload identity is set up.'),
      tokenFile: path()
        .prefault(`\${env:AZURE_FEDERATED_TOKEN_FILE}`)
        .describe('File with the token of the workload, renewed by others.'),
    })
    .describe('A federated credential: the token of a Kubernetes service account, no secret.'),
  z
    .strictObject({
      type: z.literal('managed-identity'),
      clientId: clientId()
        .optional()
        .describe('Client id of a user-assigned identity; without it the machine’s own.'),
    })
    .describe('The identity of the Azure machine that the relay runs on; no secret, never by a proxy.'),
  z
    .strictObject({
      type: z.literal('azure-cli'),
    })
    .describe('Whoever is signed in with the Azure CLI on this machine: for trying out.'),
]);

/** A directory (tenant) of Entra ID, and how to sign in to it. */
export const tenantSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected lower-case letters, digits and "-", a letter first')
      .describe('Shown in logs and metrics.')
      .meta({ [EXAMPLE]: 'contoso' }),
    tenantId: z
      .guid('expected the GUID of the tenant (Entra ID, "Tenant ID")')
      .describe('GUID of the tenant.'),
    cloud: z
      .enum(Object.keys(clouds) as [keyof typeof clouds])
      .default('global')
      .describe('Which of Microsoft’s clouds.'),
    graphEndpoint: origin('the root of Graph')
      .optional()
      .describe('In place of the cloud’s: simulator, private gateway.'),
    authorityHost: origin('the token authority').optional().describe('In place of the cloud’s.'),
    ca: path().optional().describe('PEM file with further CA certificates, e.g. of an inspecting proxy.'),
    proxy: proxyAddress
      .optional()
      .describe('HTTP proxy for Graph and token requests; without it HTTPS_PROXY and NO_PROXY count.'),
    proxyLogin: z
      .strictObject({
        user: z.string().min(1, 'expected the name of the user').describe('User at the proxy.'),
        password: secret().describe('Password at the proxy.'),
      })
      .optional()
      .describe('Who we are at the proxy.'),
    credential: credential.describe('How to sign in.'),
    requestsPerMinute: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(140)
      .describe(
        'Most requests to Graph in any minute, for all sources together; Graph allows 150 to an app.',
      ),
  })
  .superRefine(({ proxy, proxyLogin }, context) => {
    if (proxyLogin && proxy === undefined)
      context.addIssue({ code: 'custom', path: ['proxyLogin'], message: 'needs the "proxy" that it is for' });
  });

export type TenantSettings = z.output<typeof tenantSchema>;
export type CredentialSettings = TenantSettings['credential'];

/** Where Graph is, for a tenant. */
export function graphOrigin({ graphEndpoint, cloud }: TenantSettings): string {
  return graphEndpoint ?? clouds[cloud].graph;
}

/** Where tokens are asked for, for a tenant. */
export function authorityOrigin({ authorityHost, cloud }: TenantSettings): string {
  return authorityHost ?? clouds[cloud].authority;
}

/**
 * The scope that a token for Graph is asked with: the root of that Graph which the authority knows. A
 * `graphEndpoint` alone is a gateway on the way to the cloud's Graph; with an `authorityHost` of its own it is
 * another Graph.
 */
export function graphScope(settings: TenantSettings): string {
  const root = settings.authorityHost ? graphOrigin(settings) : clouds[settings.cloud].graph;
  return `${root}/.default`;
}

/** Who signs in, in the words of a message. */
export function whoSignsIn(credential: CredentialSettings): string {
  if (credential.type === 'azure-cli') return 'the account of the Azure CLI';
  if (credential.type !== 'managed-identity') return `app ${credential.clientId}`;
  return credential.clientId
    ? `managed identity ${credential.clientId}`
    : 'the managed identity of this machine';
}

/** How an application role of Graph is given to who signs in. */
export function howToGrant(credential: CredentialSettings, role: string): string {
  switch (credential.type) {
    case 'managed-identity':
      return (
        `give the identity the app role ${role} of Microsoft Graph (New-MgServicePrincipalAppRoleAssignment); ` +
        'Azure keeps handing out the token it has until that expires, up to a day'
      );
    case 'azure-cli':
      return `sign the Azure CLI in as an app (az login --service-principal) that has the application permission ${role}`;
    default:
      return (
        `add the application permission ${role} (Entra ID, App registrations, API permissions, Microsoft Graph) ` +
        'and grant admin consent; no restart is needed'
      );
  }
}
