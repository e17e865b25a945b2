import { readCa } from '../net/agent.ts';
import { CertificateError, readClientCertificate } from '../net/certificate.ts';
import { type TenantSettings, tenantSchema } from '../net/tenant.ts';
import type { Disagreement } from './agreement.ts';

/** Certificates that cannot be used, or not any more. */
export interface BadCertificate extends Disagreement {
  readonly isExpiry: boolean;
}

/**
 * Looks into the certificates of all tenants. Takes the schema's input, to be told together with what is wrong
 * elsewhere; a tenant that is itself not right is passed over.
 *
 * @param nowMs milliseconds since 1970
 */
export function badCertificates(input: unknown, nowMs: number): BadCertificate[] {
  const { tenants } = input as { tenants?: unknown };
  if (!Array.isArray(tenants)) return [];
  return tenants.flatMap((tenant: unknown, index) => {
    const { data } = tenantSchema.safeParse(tenant);
    if (!data) return [];
    return [...badCa(data), ...badCredential(data, nowMs)].map((bad) => ({
      ...bad,
      path: ['tenants', index, ...bad.path],
    }));
  });
}

function badCa({ ca }: TenantSettings): BadCertificate[] {
  try {
    if (ca !== undefined) readCa(ca);
    return [];
  } catch (error) {
    return [{ path: ['ca'], message: (error as Error).message, isExpiry: false }];
  }
}

function badCredential({ credential }: TenantSettings, nowMs: number): BadCertificate[] {
  if (credential.type !== 'client-certificate') return [];
  const file = credential.certificate;
  const path = ['credential', 'certificate'];
  try {
    const { expiresMs } = readClientCertificate(credential);
    if (expiresMs > nowMs) return [];
    const message = `the certificate in ${file} expired on ${new Date(expiresMs).toISOString().slice(0, 10)}`;
    const hint = 'make a new one, and upload it to the app registration before it is used';
    return [{ path, message, hint, isExpiry: true }];
  } catch (error) {
    const { message } = error as Error;
    if (!(error instanceof CertificateError)) return [{ path, message, isExpiry: false }];
    if (error.setting === 'password') return [{ path: ['credential', 'password'], message, isExpiry: false }];
    return [{ path, message: `file ${file} ${message}`, isExpiry: false }];
  }
}
