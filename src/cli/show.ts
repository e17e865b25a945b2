import { yamlOf } from '../config/effective.ts';
import { loadConfig } from '../config/load.ts';
import type { Io } from './io.ts';

/**
 * Shows the config as the relay takes it: with all defaults, and each secret as `***`. Asks for no secret and no file
 * that the config names.
 */
export async function showCommand(
  flags: { config?: string; json?: boolean },
  io: Pick<Io, 'stdout' | 'env'>,
): Promise<number> {
  const { path, effective } = loadConfig(flags.config, { needs: [], ...(io.env && { env: io.env }) });
  const settings = effective();
  io.stdout.write(
    flags.json
      ? `${JSON.stringify(settings, null, 2)}\n`
      : `# What ${JSON.stringify(path)} comes to. A secret is shown as ***.\n${yamlOf(settings)}`,
  );
  return 0;
}
