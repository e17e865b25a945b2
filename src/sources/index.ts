import { pluginOf } from '../core/plugin.ts';
import type { Progress } from '../core/source.ts';
import { graphAlerts } from './graph-alerts/index.ts';

/** Every source there is. To add one: make its folder, then name it here. */
export const sources = [graphAlerts] as const;

/** Where a checkpoint stands that a source of this type has stored; `undefined` when that cannot be told. */
export function progressOf(type: string, checkpoint: string): Progress | undefined {
  try {
    return pluginOf(sources, type)?.progress(checkpoint);
  } catch {
    // Its next reading tells what is wrong with it.
    return undefined;
  }
}

export { alertRecord } from './graph-alerts/index.ts';
