import { stringifyJson } from '../lib/json.ts';
import type { AlertRevision } from './revision.ts';

/** Enumeration members that Graph shows only to who asks for them by `Prefer`: those after `unknownFutureValue`. */
const newMembers: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'serviceSource',
    [
      'microsoftDefenderForCloud',
      'microsoftSentinel',
      'microsoftInsiderRiskManagement',
      'microsoftThreatIntelligence',
      'microsoftSecurityForAI',
    ],
  ],
  [
    'detectionSource',
    [
      'microsoftDefenderForCloud',
      'microsoftDefenderForIoT',
      'microsoftDefenderForServers',
      'microsoftDefenderForStorage',
      'microsoftDefenderForDNS',
      'microsoftDefenderForDatabases',
      'microsoftDefenderForContainers',
      'microsoftDefenderForNetwork',
      'microsoftDefenderForAppService',
      'microsoftDefenderForKeyVault',
      'microsoftDefenderForResourceManager',
      'microsoftDefenderForApiManagement',
      'nrtAlerts',
      'scheduledAlerts',
      'microsoftDefenderThreatIntelligenceAnalytics',
      'builtInMl',
      'microsoftInsiderRiskManagement',
      'microsoftThreatIntelligence',
      'microsoftDefenderForAIServices',
      'securityCopilot',
      'microsoftSentinel',
    ],
  ],
  [
    'remediationStatus',
    ['active', 'pendingApproval', 'declined', 'unremediated', 'running', 'partiallyRemediated'],
  ],
]);

/** An alert's JSON, with the newer enumeration members hidden unless `allMembers`. */
function render(alert: AlertRevision, allMembers: boolean): string {
  const body = alert.body();
  return stringifyJson(allMembers ? body : hideNewMembers(body, ''));
}

function hideNewMembers(value: unknown, name: string): unknown {
  if (typeof value === 'string') return newMembers.get(name)?.includes(value) ? 'unknownFutureValue' : value;
  if (Array.isArray(value)) return value.map((item) => hideNewMembers(item, name));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hideNewMembers(item, key)]));
}

/** Characters of JSON kept, so that what several readings ask for is rendered once. */
const MAX_CACHED = 32 * 2 ** 20;

/** Renders alerts, and remembers the latest. */
export class Renderer {
  readonly #texts = [new Map<AlertRevision, string>(), new Map<AlertRevision, string>()] as const;
  #cached = 0;

  text(alert: AlertRevision, allMembers: boolean): string {
    const texts = this.#texts[allMembers ? 1 : 0];
    const known = texts.get(alert);
    if (known !== undefined) return known;
    const text = render(alert, allMembers);
    texts.set(alert, text);
    this.#cached += text.length;
    for (const [oldest, oldText] of texts) {
      if (this.#cached <= MAX_CACHED) break;
      texts.delete(oldest);
      this.#cached -= oldText.length;
    }
    return text;
  }
}
