/** One answer of Graph that was read whole. */
export interface GraphAnswer {
  /** The body, parsed by `lib/json.ts`; an object. */
  readonly body: { readonly [key: string]: unknown };
  /** The server's `Date`, milliseconds since 1970; `undefined` when it sent none. */
  readonly dateMs: number | undefined;
}

/** Graph of one tenant: requests with token, time-outs, throttling and retries. */
export interface Graph {
  readonly tenant: string;
  /** The configured origin; next links to any other are refused (they would carry the token's destination). */
  readonly origin: string;
  get(url: string, options: { maxBytes: number; signal: AbortSignal; role: string }): Promise<GraphAnswer>;
  close(): Promise<void>;
}
