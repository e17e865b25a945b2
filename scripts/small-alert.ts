/** An alert of some hundred bytes, of which millions fit on a disk. */
export const smallAlert = (id: string, time: string) => ({
  id,
  title: 'Suspicious sign-in',
  severity: 'medium',
  status: 'new',
  category: 'InitialAccess',
  serviceSource: 'microsoftDefenderForEndpoint',
  createdDateTime: time,
  lastUpdateDateTime: time,
  evidence: [],
});
