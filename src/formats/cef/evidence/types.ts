import type { Json } from '../../../core/record.ts';
import { compactJson, object, text } from '../read.ts';
import {
  account,
  cloudLogonRequest,
  cloudLogonSession,
  hostLogonSession,
  mailbox,
  mailboxConfiguration,
  user,
} from './accounts.ts';
import { cloud } from './cloud.ts';
import { device, ioTDevice, nic } from './devices.ts';
import { file, fileHash, malware, process, registryKey, registryValue } from './files.ts';
import { analyzedMessage, mailCluster, submissionMail, teamsMessage } from './mail.ts';
import { dns, ip, networkConnection, url } from './network.ts';
import type { Reading } from './reading.ts';

/** How each type of evidence is read; the type is Graph's, without `#microsoft.graph.security.` and `Evidence`. */
const readers: ReadonlyMap<string, (raw: Json | undefined) => Reading> = new Map([
  ['account', account],
  ['analyzedMessage', analyzedMessage],
  ['cloudLogonRequest', cloudLogonRequest],
  ['cloudLogonSession', cloudLogonSession],
  ['device', device],
  ['dns', dns],
  ['file', file],
  ['fileHash', fileHash],
  ['hostLogonSession', hostLogonSession],
  ['ioTDevice', ioTDevice],
  ['ip', ip],
  ['mailbox', mailbox],
  ['mailboxConfiguration', mailboxConfiguration],
  ['mailCluster', mailCluster],
  ['malware', malware],
  ['networkConnection', networkConnection],
  ['nic', nic],
  ['process', process],
  ['registryKey', registryKey],
  ['registryValue', registryValue],
  ['submissionMail', submissionMail],
  ['teamsMessage', teamsMessage],
  ['url', url],
  ['user', user],
  ...cloud,
]);

/** The types that we know to read. */
export const types: readonly string[] = [...readers.keys()];

/** Evidence of any type; one that says nothing we know to read is shown as it came, in short. */
export function readEvidence(type: string, raw: Json | undefined): Reading {
  const reading = readers.get(type)?.(raw);
  return reading && reading.value !== '' ? reading : { value: shown(raw) };
}

/** Properties that all evidence has; they say nothing about what it is. */
const common = new Set([
  'createdDateTime',
  'verdict',
  'remediationStatus',
  'remediationStatusDetails',
  'roles',
  'detailedRoles',
  'tags',
]);

function shown(raw: Json | undefined): string {
  const evidence = object(raw);
  const name = text(evidence.displayName) || text(evidence.name) || text(evidence.id);
  if (name !== '') return name;
  const json = compactJson(raw, 200, common);
  return json === '{}' ? '' : json;
}
