/** Things to let go of, last in first out; every one is closed even when another fails. */
export class Closers {
  readonly #closers: { name: string; close: () => Promise<void> | void }[] = [];

  /** Opening and the promise to close are one expression. */
  add<T extends { close(): Promise<void> | void }>(name: string, thing: T): T {
    this.#closers.push({ name, close: () => thing.close() });
    return thing;
  }

  /** @throws {AggregateError} of everything that failed to close */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let closer = this.#closers.pop(); closer; closer = this.#closers.pop()) {
      try {
        await closer.close();
      } catch (cause) {
        failures.push(new Error(`closing ${closer.name} failed`, { cause }));
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be closed');
  }
}
