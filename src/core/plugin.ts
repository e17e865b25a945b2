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
