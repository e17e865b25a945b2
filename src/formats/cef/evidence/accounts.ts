import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import type { Json } from '../../../core/record.ts';
import { object, text } from '../read.ts';
import { ids, type Reading } from './reading.ts';

export function user(raw: Json | undefined): Reading {
  return account(object<Graph.UserEvidence>(raw).userAccount);
}

/** A `userAccount`, which several types of evidence have. */
export function account(raw: Json | undefined): Reading {
  const account = object<Graph.UserAccount>(raw);
  const upn = text(account.userPrincipalName);
  const domain = text(account.domainName);
  const name = text(account.accountName);
  const qualified = domain && name ? `${domain}\\${name}` : name;
  const shown = upn || qualified || text(account.displayName);
  const id = text(account.azureAdUserId);
  const sid = text(account.userSid);
  return {
    value: shown || id || sid,
    ids: ids(['user', upn], ['account', domain && qualified], ['aad', id], ['sid', sid]),
    name: `user:${qualified.toLowerCase()}`,
    group: 'user',
    claims: [
      ['user', shown],
      ['userId', id || sid],
      ['ntDomain', domain],
    ],
  };
}

export function mailbox(raw: Json | undefined): Reading {
  const mailbox = object<Graph.MailboxEvidence>(raw);
  const upn = text(mailbox.upn);
  const address = text(mailbox.primaryAddress) || upn;
  const owner = account(mailbox.userAccount);
  return {
    value: address || text(mailbox.displayName) || owner.value,
    ids: [...ids(['user', address], ['user', upn]), ...(owner.ids ?? [])],
    group: 'user',
    side: 'destination',
    claims: [['user', address]],
  };
}

export function mailboxConfiguration(raw: Json | undefined): Reading {
  const configuration = object<Graph.MailboxConfigurationEvidence>(raw);
  const address = text(configuration.mailboxPrimaryAddress) || text(configuration.upn);
  const name = text(configuration.displayName);
  const id = text(configuration.configurationId);
  return {
    value: name || id || address,
    ids: ids(['configuration', id]),
    group: 'user',
    side: 'destination',
    claims: [['user', address]],
    // A rule in a mailbox is the finding itself: it is named even when the mailbox has its key.
    notes: [
      ['configuration', name || id],
      ['configurationType', text(configuration.configurationType)],
    ],
    details: [['mailbox', address]],
  };
}

export function cloudLogonSession(raw: Json | undefined): Reading {
  const session = object<Graph.CloudLogonSessionEvidence>(raw);
  const id = text(session.sessionId);
  const agent = text(session.userAgent);
  const hostName = text(session.deviceName);
  return {
    value: id || agent,
    ids: ids(['session', id]),
    group: 'agent',
    claims: [['requestClientApplication', agent]],
    notes: [['session', id]],
    details: [['browser', text(session.browser)]],
    nested: [
      { type: 'user', value: session.account },
      { type: 'device', value: hostName ? { hostName } : undefined },
    ],
  };
}

export function cloudLogonRequest(raw: Json | undefined): Reading {
  const id = text(object<Graph.CloudLogonRequestEvidence>(raw).requestId);
  return { value: id, ids: ids(['request', id]) };
}

export function hostLogonSession(raw: Json | undefined): Reading {
  const session = object<Graph.HostLogonSessionEvidence>(raw);
  return {
    value: text(session.sessionId),
    nested: [
      { type: 'user', value: session.account },
      { type: 'device', value: session.host },
    ],
  };
}
