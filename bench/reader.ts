import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { cpuOf } from '../scripts/watch.ts';
import { CLIENT_ID, CLIENT_SECRET } from '../src/simulator/entra.ts';
import { keyAt, TENANT } from './alerts.ts';
import type { Graph } from './graph.ts';
import type { Measured } from './scenario.ts';

/** As many as the relay asks for at once, in about 4 MB. */
const WINDOW = 500;
const WARM_UP = 20_000;

/**
 * What the generator can give at most, and what that costs it: to somebody who does nothing but read, in windows as the relay
 * asks for them.
 *
 * @param folder where the generator has written its CA
 */
export async function ceilingOf(
  { origin, pid }: Graph,
  folder: string,
  alerts: number,
): Promise<Measured['figures']> {
  const agent = new Agent({ keepAlive: true, ca: readFileSync(join(folder, 'ca.pem')) });
  const ask = async (path: string, headers: Record<string, string>, body?: string) => {
    const asked = request(`${origin}${path}`, { agent, headers, method: body ? 'POST' : 'GET' });
    asked.end(body);
    const [answer] = await once(asked, 'response');
    return answer;
  };
  try {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      scope: `${origin}/.default`,
    });
    const signedIn = await ask(`/${TENANT}/oauth2/v2.0/token`, {}, form.toString());
    const { access_token: token } = JSON.parse((await buffer(signedIn)).toString());
    /** The first of them, so many. */
    const read = async (count: number) => {
      for (let from = 0; from < count; from += WINDOW) {
        const filter = `lastUpdateDateTime ge ${keyAt(from)} and lastUpdateDateTime lt ${keyAt(from + WINDOW)}`;
        const page = await ask(
          `/v1.0/security/alerts_v2?$filter=${encodeURIComponent(filter)}&$top=1000&$count=true`,
          { Authorization: `Bearer ${token}` },
        );
        // Nothing is kept of it.
        page.resume();
        await once(page, 'end');
      }
    };
    await read(Math.min(alerts, WARM_UP));
    const [begun, cpuMs] = [performance.now(), cpuOf(pid)];
    await read(alerts);
    return {
      perSecond: (1000 * alerts) / (performance.now() - begun),
      cpuMicros: (1000 * (cpuOf(pid) - cpuMs)) / alerts,
    };
  } finally {
    agent.destroy();
  }
}
