import { deviceEvidence, processEvidence, userEvidence } from '../cast.ts';
import { runKey } from './endpoint.ts';
import { dlpMatch, reportedByUser, reportedMail, sentOutside } from './mail.ts';
import type { Template } from './template.ts';

/**
 * Text that an attacker chose (a subject, a command line, a name) and that tries to forge a field or an event
 * in what a SIEM is sent.
 */
const forgedFields = 'x|10|cs1=evil act=blocked\\';
const forgedEvent = 'Urgent\nCEF:0|Microsoft|Defender|1.0|0|Nothing happened|0|act=none msg=all is well';
// A right-to-left mark (U+202E), a tab, a bell, a no-break space: shown otherwise than written.
const disguised = 'invoice_\u202Efdp.exe\t= a|b\u0007\u00a0end \\';

export const hostileDlpTitle: Template = {
  ...dlpMatch,
  title: () => `DLP policy (Custom | policy) matched for email with subject (${forgedEvent})`,
  description: () => `The mail with the subject '${forgedEvent}' left the organization.\r\n\r\nsee a=b`,
  evidence: (cast) => sentOutside(cast, forgedEvent),
};

export const hostileDetectionName: Template = {
  ...runKey,
  title: () => `Rule ${forgedFields}`,
  description: () => 'Custom detection rule matched: 100%=bad | worse \\n not a line break \\',
  evidence: (cast) => [
    deviceEvidence(cast, cast.host, { tags: ['a=b', 'c|d', 'e\nf'] }),
    processEvidence(
      cast,
      { fileName: disguised, filePath: 'C:\\Users\\Public\\' },
      `cmd.exe /c "echo ${forgedFields}" & set A=1|more\r\nCEF:0|a|b|c|d|e|10|`,
    ),
    userEvidence(cast, cast.user),
  ],
  more: () => ({
    customDetails: {
      '@odata.type': '#microsoft.graph.security.dictionary',
      'key=with|signs': 'value cs2=evil\n',
      long: 'A'.repeat(6_000),
    },
  }),
};

export const hostileSubject: Template = {
  ...reportedByUser,
  title: () => 'Email reported by user as malware or phish',
  evidence: (cast) => reportedMail(cast, `${disguised} ${forgedFields}`),
};
