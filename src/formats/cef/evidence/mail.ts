import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import type { Json } from '../../../core/record.ts';
import { isNobodys, parseAddress } from '../address.ts';
import { known, object, text, texts } from '../read.ts';
import { ids, type Note, nestedList, type Reading } from './reading.ts';

interface Message {
  readonly id: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly senderIp: string;
  readonly subject: string;
  readonly direction: string;
  readonly urls: Json | undefined;
  readonly notes: readonly Note[];
}

export function analyzedMessage(raw: Json | undefined): Reading {
  const mail = object<Graph.AnalyzedMessageEvidence>(raw);
  const p1 = text(object<Graph.EmailSender>(mail.p1Sender).emailAddress);
  const p2 = text(object<Graph.EmailSender>(mail.p2Sender).emailAddress);
  const attachments = text(mail.attachmentsCount);
  return message({
    id: text(mail.networkMessageId),
    sender: p2 || p1,
    recipients: texts(mail.recipientEmailAddress),
    senderIp: text(mail.senderIp),
    subject: text(mail.subject),
    direction: text(mail.antiSpamDirection),
    urls: mail.urls,
    notes: [
      ['attachments', attachments === '0' ? '' : attachments],
      ['p1Sender', p2 === '' || isAligned(p1, p2) ? '' : p1],
      ...texts(mail.threats).map((threat): Note => ['threat', threat]),
      ...deliveryOf(mail),
    ],
  });
}

/** Bulk mail goes out under a subdomain for what bounces; another domain may be that of a forger. */
function isAligned(p1: string, p2: string): boolean {
  const [one, other] = [p1, p2].map((address) =>
    `.${address.slice(address.lastIndexOf('@') + 1)}`.toLowerCase(),
  );
  return p1 === '' || one!.endsWith(other!) || other!.endsWith(one!);
}

function deliveryOf(mail: {
  readonly deliveryAction?: Json | undefined;
  readonly deliveryLocation?: Json | undefined;
}): readonly Note[] {
  return [
    ['deliveryAction', known(mail.deliveryAction)],
    ['deliveryLocation', known(mail.deliveryLocation)],
  ];
}

export function submissionMail(raw: Json | undefined): Reading {
  const mail = object<Graph.SubmissionMailEvidence>(raw);
  return message({
    id: text(mail.networkMessageId),
    sender: text(mail.sender),
    recipients: texts(mail.recipient),
    senderIp: text(mail.senderIp),
    subject: text(mail.subject),
    direction: '',
    urls: undefined,
    notes: [
      ['reportType', text(mail.reportType)],
      ['submitter', text(mail.submitter)],
    ],
  });
}

export function teamsMessage(raw: Json | undefined): Reading {
  const chat = object<Graph.TeamsMessageEvidence>(raw);
  const reading = message({
    id: text(chat.messageId),
    sender: text(chat.senderFromAddress),
    recipients: texts(chat.recipients),
    senderIp: text(chat.senderIP),
    subject: text(chat.subject),
    direction: text(chat.messageDirection),
    urls: chat.urls,
    notes: deliveryOf(chat),
  });
  return { ...reading, nested: [...(reading.nested ?? []), ...nestedList('file', chat.files)] };
}

/** 0 is inbound, 1 outbound; within an organisation it is neither. */
const directions: ReadonlyMap<string, string> = new Map([
  ['inbound', '0'],
  ['outbound', '1'],
]);

function message(mail: Message): Reading {
  const [recipient = '', ...others] = mail.recipients;
  const senderIp = parseAddress(mail.senderIp);
  const isNone = senderIp !== undefined && isNobodys(senderIp);
  return {
    value: mail.id || mail.subject || mail.sender,
    ids: ids(['message', mail.id && `${mail.id}/${recipient}`]),
    covers: ids(['user', mail.sender], ['user', recipient], ['ip', senderIp?.text ?? '']),
    group: 'message',
    claims: [
      ['fileId', mail.id],
      ['user', mail.sender, 'source'],
      ['user', recipient, 'destination'],
      ['address', isNone ? '' : mail.senderIp, 'source'],
      ['deviceDirection', directions.get(mail.direction.toLowerCase()) ?? ''],
    ],
    extras: [['cs5', mail.subject]],
    cs5Label: 'emailSubject',
    notes: [
      ...mail.notes,
      ['senderIp', isNone ? mail.senderIp : ''],
      ...others.map((other): Note => ['recipient', other]),
    ],
    details: [
      ['from', mail.sender],
      ['to', recipient],
      ['senderIp', isNone ? '' : mail.senderIp],
      ['subject', mail.id === '' ? '' : mail.subject],
    ],
    nested: nestedList('url', mail.urls),
  };
}

export function mailCluster(raw: Json | undefined): Reading {
  const cluster = object<Graph.MailClusterEvidence>(raw);
  const count = text(cluster.emailCount);
  const query = text(cluster.query);
  return {
    value: count === '' ? query.slice(0, 200) : `${count} messages`,
    ids: ids(['urn', text(cluster.urn)]),
    notes: [['query', count === '' ? '' : query.slice(0, 200)]],
  };
}
