import {
  type Cast,
  cloudApplicationEvidence,
  fileEvidence,
  ipEvidence,
  mailboxEvidence,
  messageEvidence,
  userEvidence,
} from '../cast.ts';
import { textOfMs } from '../time.ts';
import type { Product, Template } from './template.ts';

export const office: Product = {
  product: 'Microsoft Defender for Office 365',
  serviceSource: 'microsoftDefenderForOffice365',
  detectionSource: 'microsoftDefenderForOffice365',
  idPrefix: 'fa',
  providerId: 'guid',
};

export const dlp: Product = {
  product: 'Microsoft Data Loss Prevention',
  serviceSource: 'dataLossPrevention',
  detectionSource: 'microsoftDataLossPrevention',
  idPrefix: 'dl',
  providerId: 'guid',
};

const subjects = [
  'Your invoice is overdue',
  'Password expires today – Übersicht',
  'تحديث كلمة المرور',
  '更新: 給与明細 🙂',
  'Re: contract (50 % discount)',
];

export const campaignRemoved: Template = {
  ...office,
  detectorId: 'c8522cbb-9368-4e25-4ee9-08d8d899dfab',
  category: 'InitialAccess',
  severity: 'informational',
  mitreTechniques: ['T1566'],
  title: () => 'Email messages from a campaign removed after delivery',
  description: () => 'Emails messages from a campaign were delivered and later removed -V1.0.0.2',
  evidence: (cast) => {
    const subject = cast.random.pick(subjects);
    return [
      mailboxEvidence(cast, cast.user),
      messageEvidence(cast, subject, { remediationStatus: 'remediated' }),
      cast.find('mailCluster', {
        verdict: 'malicious',
        remediationStatus: 'remediated',
        clusterBy: 'Subject;P2SenderDomain;ContentType',
        clusterByValue: `${subject};${cast.domain};1`,
        emailCount: 2,
        networkMessageIds: [cast.random.guid(), cast.random.guid()],
        query: `( (( (Subject:"${subject}") ) AND ( (P2SenderDomain:"${cast.domain}") )) ) AND ( (ContentType: 1) )`,
        urn: `urn:MailClusterEntity:${cast.random.hex(32)}`,
      }),
      cast.find('url', { url: `https://${cast.domain}/owa?id=1`, verdict: 'malicious' }),
      ipEvidence(cast, cast.attacker),
      userEvidence(cast, cast.user),
    ];
  },
  more: (cast) => ({
    investigationState: 'running',
    additionalData: {
      InvestigationState: 32,
      InvestigationId: cast.random.guid(),
      ExtendedLinksJson: '[{"Href":"https://security.microsoft.com/alerts","Category":"","Label":"alert"}]',
    },
  }),
};

/** Evidence of a mail that its reader held for phishing. */
export const reportedMail = (cast: Cast, subject: string) => [
  cast.find('submissionMail', {
    networkMessageId: cast.random.guid(),
    recipient: cast.user.mail,
    reportType: 'Phish',
    sender: `billing@${cast.domain}`,
    senderIp: cast.attacker.address,
    subject,
    submissionDateTime: textOfMs(cast.beganMs + 10_000),
    submissionId: cast.random.guid(),
    submitter: cast.user.mail,
  }),
  mailboxEvidence(cast, cast.user),
  messageEvidence(cast, subject),
  cast.find('url', { url: `https://${cast.domain}/r?u=a%3db&t=1|2`, verdict: 'suspicious' }),
  ipEvidence(cast, cast.attacker),
];

export const reportedByUser: Template = {
  ...office,
  detectorId: 'b26a5770-0c38-434a-9380-3a3c2c27bbb3',
  category: 'InitialAccess',
  severity: 'low',
  mitreTechniques: ['T1566'],
  title: () => 'Email reported by user as malware or phish',
  description: () =>
    'This alert is triggered when any email message is reported as malware or phish by users -V1.0.0.3',
  evidence: (cast) => reportedMail(cast, cast.random.pick(subjects)),
  more: () => ({ investigationState: 'benign' }),
};

export const dlpMatch: Template = {
  ...dlp,
  detectorId: '56b4e5a0-6f2b-4b1d-9c61-d5f0a9e8c001',
  category: 'Exfiltration',
  severity: 'medium',
  mitreTechniques: ['T1048'],
  title: (cast) =>
    `DLP policy (Credit card numbers) matched for email with subject (Export ${cast.user.account})`,
  description: () => "The DLP policy 'Credit card numbers' matched an email sent outside the organization.",
  evidence: (cast) => sentOutside(cast, `Export ${cast.user.account}`),
  more: () => ({
    investigationState: 'unsupportedAlertType',
    alertPolicyId: '9d4a1c1e-30f2-4f6a-a1f7-2f6b5d9c7e10',
  }),
};

/** Evidence of a mail with a file that should not have left. */
export const sentOutside = (cast: Cast, subject: string) => [
  messageEvidence(cast, subject, {
    antiSpamDirection: 'Outbound',
    attachmentsCount: 1,
    p2Sender: { emailAddress: cast.user.mail, displayName: cast.user.name, domainName: 'contoso.com' },
    recipientEmailAddress: `me@${cast.domain}`,
    threats: [],
    threatDetectionMethods: [],
  }),
  userEvidence(cast, cast.user, { roles: ['policyViolator'] }),
  cloudApplicationEvidence(cast, 20_893, 'Microsoft Exchange Online'),
  fileEvidence(cast, 'customers.csv', ''),
];
