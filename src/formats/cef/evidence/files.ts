import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import type { Json } from '../../../core/record.ts';
import { known, object, text, type Untrusted } from '../read.ts';
import { type Claim, ids, type Note, type Reading } from './reading.ts';

type Details = Untrusted<Graph.FileDetails>;

export function file(raw: Json | undefined): Reading {
  const file = object<Graph.FileEvidence>(raw);
  const details = object<Graph.FileDetails>(file.fileDetails);
  const path = fullPath(details.filePath, details.fileName);
  const hashes = hashesOf(details);
  const [hash, ...weaker] = hashes;
  const name = text(details.fileName) || path;
  return {
    value: name || (hash?.[1] ?? ''),
    ids: ids(['file', `${text(file.mdeDeviceId)}/${path}/${hash?.[1] ?? ''}`]),
    covers: ids(...hashes.map(([, value]) => ['hash', value] as const)),
    group: 'file',
    claims: fileClaims(details, path, hash),
    notes: [...weaker, ['publisher', text(details.filePublisher)]],
    details: [...(hash ? [hash] : []), ['path', path === name ? '' : path]],
    action: known(file.detectionStatus),
  };
}

function fileClaims(details: Details, path: string, hash: Note | undefined): readonly Claim[] {
  return [
    ['fname', text(details.fileName)],
    ['filePath', text(details.filePath) && path],
    ['fileHash', hash?.[1] ?? ''],
    ['fsize', text(details.fileSize)],
  ];
}

/** The hashes there are, the strongest first. */
function hashesOf(details: Details): readonly Note[] {
  const hashes: Note[] = [];
  for (const algorithm of ['sha256', 'sha1', 'md5'] as const) {
    const hash = text(details[algorithm]);
    if (hash !== '') hashes.push([algorithm, hash]);
  }
  return hashes;
}

/** Graph gives the folder; CEF wants it with the file's name. */
function fullPath(rawFolder: Json | undefined, rawName: Json | undefined): string {
  const folder = text(rawFolder);
  const name = text(rawName);
  if (folder === '' || name === '') return folder || name;
  const slash = folder.includes('\\') || /^[A-Za-z]:/.test(folder) ? '\\' : '/';
  if (folder.endsWith(slash)) return folder + name;
  return folder.toLowerCase().endsWith(`${slash}${name.toLowerCase()}`) ? folder : folder + slash + name;
}

export function fileHash(raw: Json | undefined): Reading {
  const hash = object<Graph.FileHashEvidence>(raw);
  const value = text(hash.value);
  const algorithm = known(hash.algorithm);
  return {
    value: algorithm && value ? `${algorithm}:${value}` : value,
    ids: ids(['hash', value]),
    group: 'file',
    claims: [['fileHash', value]],
  };
}

export function process(raw: Json | undefined): Reading {
  const process = object<Graph.ProcessEvidence>(raw);
  const image = object<Graph.FileDetails>(process.imageFile);
  const parent = object<Graph.FileDetails>(process.parentProcessImageFile);
  const path = fullPath(image.filePath, image.fileName);
  const pid = text(process.processId);
  const commandLine = text(process.processCommandLine);
  const known = withPid(path, pid);
  return {
    value: known || commandLine,
    ids: pid
      ? ids([
          'process',
          `${text(process.mdeDeviceId)}/${path}/${pid}/${text(process.processCreationDateTime)}`,
        ])
      : [],
    group: 'process',
    claims: [
      ['sproc', path],
      ['spid', pid],
      ['cs5', commandLine],
    ],
    cs5Label: 'commandLine',
    fileClaims: fileClaims(image, path, hashesOf(image)[0]),
    notes: [
      ['parent', withPid(text(parent.fileName) || text(parent.filePath), text(process.parentProcessId))],
    ],
    details: [['commandLine', known === '' ? '' : commandLine]],
    nested: [{ type: 'account', value: process.userAccount }],
    action: text(process.detectionStatus),
  };
}

function withPid(name: string, pid: string): string {
  if (name === '' || pid === '') return name || (pid && `pid ${pid}`);
  return `${name}(${pid})`;
}

export function registryKey(raw: Json | undefined): Reading {
  const key = object<Graph.RegistryKeyEvidence>(raw);
  return registry(joined(key.registryHive, key.registryKey));
}

export function registryValue(raw: Json | undefined): Reading {
  const value = object<Graph.RegistryValueEvidence>(raw);
  const name = joined(value.registryHive, value.registryKey, value.registryValueName);
  const data = text(value.registryValue);
  return registry(data === '' ? name : `${name}: ${data}`);
}

function joined(...parts: readonly (Json | undefined)[]): string {
  return parts.map(text).filter(Boolean).join('\\');
}

function registry(value: string): Reading {
  return {
    value,
    ids: ids(['registry', value]),
    group: 'registry',
    late: true,
    claims: [['cs5', value]],
    cs5Label: 'registry',
  };
}

export function malware(raw: Json | undefined): Reading {
  const malware = object<Graph.MalwareEvidence>(raw);
  const name = text(malware.name);
  return {
    value: name,
    ids: ids(['malware', name]),
    group: 'malware',
    claims: [['cs4', name]],
    notes: [['malwareCategory', text(malware.category)]],
    nested: [
      ...(Array.isArray(malware.files) ? malware.files : []).map((value) => ({ type: 'file', value })),
      ...(Array.isArray(malware.processes) ? malware.processes : []).map((value) => ({
        type: 'process',
        value,
      })),
    ],
  };
}
