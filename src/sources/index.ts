import { graphAlerts } from './graph-alerts/index.ts';

/** Every source there is. To add one: make its folder, then name it here. */
export const sources = [graphAlerts] as const;

export { alertRecord } from './graph-alerts/index.ts';
