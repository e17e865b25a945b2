// Signs in as the settings in the first argument say, in a process of its own: environment, PATH, and what the SDK
// keeps for a whole process. Prints what came out of it, as one line of JSON.
import { openAgent } from '../../src/net/agent.ts';
import { openCredential } from '../../src/net/credential.ts';
import { graphScope, tenantSchema } from '../../src/net/tenant.ts';

const { timeoutMs, tokens = 1, ...tenant } = JSON.parse(process.argv[2] ?? '');
const settings = tenantSchema.parse(tenant);
const agent = openAgent(settings);
const logged: string[] = [];
const note = (_: object, message: string) => void logged.push(message);
const log = { debug: note, info: note, warn: note, error: note };
const credential = openCredential(settings, { agent, timeoutMs, log, now: Date.now });
const signal = new AbortController().signal;
const got: string[] = [];
try {
  for (let n = 0; n < tokens; n++) got.push(await credential.token(graphScope(settings), { signal }));
  console.log(JSON.stringify({ tokens: got, logged }));
} catch (error) {
  const { reason, message } = error as { reason?: string; message: string };
  console.log(JSON.stringify({ reason, message, logged }));
}
credential.close();
agent.close();
