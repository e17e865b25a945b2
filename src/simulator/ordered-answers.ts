import { type Answer, json } from './answer.ts';

/** Whom a request is for. */
export type Endpoint = 'graph' | 'token';

/** Answers that somebody has ordered, each for one request, in their order. */
export class OrderedAnswers {
  readonly #waiting: Readonly<Record<Endpoint, Answer[]>> = { graph: [], token: [] };

  /** @param body JSON, unless it is text: then it is sent as it is */
  add(to: Endpoint, status: number, body: unknown, headers: Readonly<Record<string, string>>): void {
    this.#waiting[to].push(json(status, body, headers));
  }

  take(to: Endpoint): Answer | undefined {
    return this.#waiting[to].shift();
  }
}
