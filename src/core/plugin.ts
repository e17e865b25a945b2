import type { z } from 'zod';

/**
 * A source, format or sink: what it is called, which settings it takes, and how it is made of them. Making one
 * does no I/O, so that a config can be checked without a network.
 */
export interface Plugin<Schema extends z.ZodObject, Made, Context> {
  /** Has a literal `type` that tells it apart. */
  readonly schema: Schema;
  /** One line for the reference pages. */
  readonly summary: string;
  create(settings: z.output<Schema>, context: Context): Made;
}

/** The source, format or sink of that type, if there is one. */
export function pluginOf<P extends { readonly schema: z.ZodObject }>(
  plugins: readonly P[],
  type: string,
): P | undefined {
  return plugins.find(({ schema }) => schema.shape.type?.safeParse(type).success);
}

/** Makes the source, format or sink that `settings.type` names; the config schema has checked that there is one. */
export function buildPlugin<Made, Context>(
  plugins: readonly Plugin<z.ZodObject, Made, Context>[],
  settings: { readonly type: string },
  context: Context,
): Made {
  const plugin = pluginOf(plugins, settings.type);
  if (!plugin) throw new Error(`no plugin of type ${settings.type}`);
  return plugin.create(settings, context);
}
