import { Secret } from '../lib/secret.ts';

/** Every secret in a config, or in a part of it. */
export function secretsOf(config: unknown): Secret[] {
  if (config instanceof Secret) return [config];
  if (typeof config !== 'object' || config === null) return [];
  return Object.values(config).flatMap(secretsOf);
}
