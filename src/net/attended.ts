import type { UnavailableError } from '../core/errors.ts';
import type { Graph, GraphPage, PageOptions } from './graph.ts';

/** Is told what comes of the requests of one user of a Graph. */
export interface Attendant {
  answered(): void;
  /** A passing fault, which is waited out for so long and then tried again. */
  waits(error: UnavailableError, waitMs: number): void;
}

/** The Graph of a tenant, as one of its users sees it. */
export function attended(graph: Graph, attendant: Attendant): Graph {
  return {
    tenant: graph.tenant,
    origin: graph.origin,
    async page<T>(url: string, options: PageOptions<T>): Promise<GraphPage<T>> {
      const waits: Attendant['waits'] = (error, waitMs) => {
        options.waits?.(error, waitMs);
        attendant.waits(error, waitMs);
      };
      const page = await graph.page(url, { ...options, waits });
      attendant.answered();
      return page;
    },
    close: () => graph.close(),
  };
}
