import {
  privilegedContainer,
  promptInjection,
  rareOperations,
  sshBruteForce,
  storageFromTor,
} from './cloud.ts';
import {
  adversaryInTheMiddle,
  departingUser,
  impossibleTravel,
  massDownload,
  suspiciousApp,
} from './cloud-apps.ts';
import { credentialDumping, preventedMalware, runKey, suspiciousPowershell } from './endpoint.ts';
import { hostileDetectionName, hostileDlpTitle, hostileSubject } from './hostile.ts';
import { anonymousAddress, bruteForce, dcSync, goldenTicket, unfamiliarSignIn } from './identity.ts';
import { campaignRemoved, dlpMatch, reportedByUser } from './mail.ts';
import type { Template } from './template.ts';

/** Every kind of alert that the simulator raises. To add one: write it, then name it here. */
export const templates: readonly Template[] = [
  suspiciousPowershell,
  preventedMalware,
  credentialDumping,
  runKey,
  goldenTicket,
  dcSync,
  bruteForce,
  unfamiliarSignIn,
  anonymousAddress,
  impossibleTravel,
  massDownload,
  suspiciousApp,
  adversaryInTheMiddle,
  departingUser,
  campaignRemoved,
  reportedByUser,
  dlpMatch,
  privilegedContainer,
  storageFromTor,
  sshBruteForce,
  promptInjection,
  rareOperations,
  hostileDlpTitle,
  hostileDetectionName,
  hostileSubject,
];
