import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject, RelayRecord } from '../../../src/core/record.ts';
import { outcomes } from '../../../src/core/record.ts';
import { parseJson } from '../../../src/lib/json.ts';
import { aRecord } from '../../support/records.ts';
import { aStamp, createFormat, formatCef, parseCef } from './support.ts';

/** Keys of the CEF dictionary (version 27) that a producer may set and that we use, with what they hold. */
const dictionary: Readonly<Record<string, RegExp>> = (() => {
  const text = (max: number) => new RegExp(`^.{1,${max}}$`, 'su');
  const number = /^(?:0|[1-9]\d{0,18})$/;
  const integer = /^(?:0|[1-9]\d{0,9})$/;
  const v4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
  const v6 = /^[\da-f:.]+:[\da-f:.]*$/;
  const mac = /^[\da-f]{2}(?::[\da-f]{2}){5}$/i;
  const entries: [string, RegExp][] = [
    ...'rt start end deviceCustomDate1 deviceCustomDate2 flexDate1 cn1 cn2 cn3'
      .split(' ')
      .map((key) => [key, number] as [string, RegExp]),
    ...'dvcpid spid spt dpt fsize deviceDirection'
      .split(' ')
      .map((key) => [key, integer] as [string, RegExp]),
    ...'src dst sourceTranslatedAddress destinationTranslatedAddress'
      .split(' ')
      .map((key) => [key, v4] as [string, RegExp]),
    ...'c6a2 c6a3'.split(' ').map((key) => [key, v6] as [string, RegExp]),
    ...'smac dmac'.split(' ').map((key) => [key, mac] as [string, RegExp]),
    ...'cs1 cs2 cs3 cs4 cs5 cs6'.split(' ').map((key) => [key, text(4000)] as [string, RegExp]),
    ...'deviceExternalId fileHash sourceDnsDomain destinationDnsDomain sntdom dntdom'
      .split(' ')
      .map((key) => [key, text(255)] as [string, RegExp]),
    ...'msg cat sourceServiceName deviceFacility shost dhost suser suid duser duid sproc fname filePath fileId request requestClientApplication destinationServiceName flexString1 flexString2'
      .split(' ')
      .map((key) => [key, text(1023)] as [string, RegExp]),
    ['externalId', text(40)],
    ['devicePayloadId', text(128)],
    ['act', text(63)],
    ['outcome', text(63)],
    ['proto', text(31)],
  ];
  return Object.fromEntries(entries);
})();
const labelled = /^(?:c6a|cn|cs|deviceCustomDate|flexDate|flexString)\d$/;

/** Takes a line apart and checks all that the format promises of every line. */
function checked(line: string) {
  const event = parseCef(line);
  const { header, extension } = event;
  if (header.vendor !== 'Microsoft' || header.deviceVersion !== '1') throw new Error('a forged header');
  if (!/^.{1,513}$/su.test(header.name)) throw new Error('a long name');
  if (!/^.{1,1023}$/su.test(header.classId)) throw new Error('a long class id');
  const labels = new Set<string>();
  for (const [key, value] of extension) {
    if (key.endsWith('Label')) {
      const of = key.slice(0, -5);
      if (!labelled.test(of) || !extension.has(of)) throw new Error(`${key} without ${of}`);
      if (labels.has(value)) throw new Error(`label ${value} twice`);
      labels.add(value);
      continue;
    }
    if (!Object.hasOwn(dictionary, key)) throw new Error(`key ${key} is not in the dictionary`);
    if (!dictionary[key]?.test(value)) throw new Error(`${key} may not be ${JSON.stringify(value)}`);
    if (labelled.test(key) && !extension.has(`${key}Label`)) throw new Error(`${key} without label`);
  }
  for (const key of ['externalId', 'devicePayloadId', 'outcome', 'dvcpid', 'cn2', 'cn3']) {
    if (!extension.has(key)) throw new Error(`no ${key}`);
  }
  return event;
}

/** What of a text should come out at the other end, said in another way than the encoder does it. */
function carried(text: string): string {
  let out = '';
  const points = Array.from(text);
  points.forEach((point, index) => {
    const code = point.codePointAt(0) ?? 0;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    if (point === '\r' && points[index + 1] === '\n') return;
    if (code >= 0xd800 && code <= 0xdfff) out += '\ufffd';
    else if (point === '\n' || point === '\r' || !isControl) out += point;
    else out += ' ';
  });
  return out.trim();
}
const inHeader = (text: string) => {
  const flat = carried(text).replace(/[\r\n]+/g, ' ');
  return flat.endsWith('\\') ? `${flat} ` : flat;
};

const attacks = [
  'x|10|cs1=evil',
  '\nCEF:0|Evil|Evil|1|1|forged|10|src=1.2.3.4',
  '\r\n<134>1 - - - - - - CEF:0|a|b|1|c|d|1|',
  'ends in \\',
  'ends in \\\\',
  'a\\|b',
  ' src=1.2.3.4 suser=evil',
  '\\= cs6=evil',
  '\\n\\r\\\\=|',
  'x\0y',
  '\ud800 lone \udc00',
  '\u202eevil\u202c\u200f',
  '\ufeffCEF:0|',
  '\u2028src=1\u2029\u0085dst=2',
  ' \'; drop -- "',
  '%n%s{{7*7}}$(id)',
  '😀=😀',
  '=',
  '|',
  '\\',
  ' ',
];

const shrapnel = fc.constantFrom(
  '\\',
  '|',
  '=',
  '\n',
  '\r',
  '\r\n',
  ' ',
  '\0',
  '\t',
  '\ud83d',
  '\udc00',
  '\u2028',
  'CEF:0|',
  ' src=',
  'cs6=',
  '…',
  '😀',
  '\u202e',
  ' ; ',
  '[',
  ']',
  'a',
  '1',
  '.',
);
const nasty = fc.oneof(
  { weight: 4, arbitrary: fc.array(shrapnel, { maxLength: 12 }).map((pieces) => pieces.join('')) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  { weight: 1, arbitrary: fc.constantFrom(...attacks) },
);

/** An alert whose every text comes from an attacker, and where each should be found. */
function attacked(text: string, other: string): RelayRecord {
  return aRecord({
    title: text,
    description: other,
    category: text,
    status: other,
    threatDisplayName: text,
    mitreTechniques: [other],
    alertWebUrl: text,
    evidence: [
      {
        '@odata.type': '#microsoft.graph.security.userEvidence',
        userAccount: { userPrincipalName: text, azureAdUserId: other },
      },
      { '@odata.type': '#microsoft.graph.security.deviceEvidence', deviceDnsName: other },
      { '@odata.type': '#microsoft.graph.security.fileEvidence', fileDetails: { fileName: text } },
      { '@odata.type': '#microsoft.graph.security.processEvidence', processId: 4, processCommandLine: text },
      { '@odata.type': '#microsoft.graph.security.urlEvidence', url: other },
    ],
  });
}

function expectUnforged(text: string, other: string): void {
  const lines = formatCef(attacked(text, other), aStamp());
  expect(lines).toHaveLength(1);
  const { header, extension } = checked(lines[0] ?? '');
  expect(header.name).toBe(inHeader(text) || 'Alert');
  expect(header.severity).toBe('8');
  const expected = {
    msg: other,
    cat: text,
    flexString1: other,
    cs4: text,
    cs2: other,
    cs1: text,
    suser: text,
    suid: other,
    shost: other,
    fname: text,
    cs5: text,
    request: other,
  };
  for (const [key, value] of Object.entries(expected)) {
    if ((extension.get(key) ?? '') !== carried(value)) {
      throw new Error(`${key}: ${JSON.stringify(extension.get(key))} for ${JSON.stringify(value)}`);
    }
  }
}

/** The properties take seconds alone, and longer on a machine that others use. */
const patience = { timeout: 180_000 };

describe('what an attacker writes', patience, () => {
  it.each(attacks)('S6: comes out as it went in: %j', (text) => {
    for (const other of attacks) expectUnforged(text, other);
  });

  it('S6: comes out as it went in, whatever it is', () => {
    fc.assert(fc.property(nasty, nasty, expectUnforged), { numRuns: 50_000 });
  });

  it('S6: may be a megabyte', () => {
    for (const unit of ['x', ' ', '\\', '=', '\n', '😀', '\ud800', 'CEF:0|a ']) {
      const text = unit.repeat(1_000_000 / unit.length);
      for (const line of formatCef(attacked(text, text), aStamp())) checked(line);
    }
  });

  it('S16: leaves no equals sign in a value and no pipe in the header when told to', () => {
    const format = createFormat({ equals: 'replace', pipe: 'replace' });
    fc.assert(
      fc.property(nasty, nasty, (text, other) => {
        const [line = ''] = format(attacked(text, other), aStamp());
        // As SC4S and the old Graylog plugin read: no heed of escapes.
        expect(line.split('|', 8)).toHaveLength(8);
        const extension = line.split('|').slice(7).join('|');
        const keys = [...extension.matchAll(/(\w+)=/g)].map((match) => match[1]);
        expect(keys).toEqual([...parseCef(line).keys]);
        expect(extension.replaceAll('\\\\', '')).not.toContain('\\=');
        expect(line.split('|')[5]).toBe(
          inHeader(text).replaceAll('\\', '\\\\').replaceAll('|', '¦') || 'Alert',
        );
      }),
      { numRuns: 10_000 },
    );
  });
});

const names = [
  '__proto__',
  'constructor',
  'toString',
  '@odata.type',
  'id',
  'title',
  'description',
  'category',
  'severity',
  'status',
  'detectorId',
  'evidence',
  'roles',
  'verdict',
  'tags',
  'userAccount',
  'userPrincipalName',
  'deviceDnsName',
  'ipInterfaces',
  'lastIpAddress',
  'ipAddress',
  'fileDetails',
  'imageFile',
  'processId',
  'url',
  'urls',
  'p2Sender',
  'recipients',
  'namespace',
  'cluster',
  'containers',
  'nics',
  'macAddress',
  'mitreTechniques',
  'systemTags',
  'customDetails',
  'name',
  'displayName',
  'firstActivityDateTime',
  'incidentId',
  'loggedOnUsers',
  'sourceAddress',
  'destinationAddress',
  'sourcePort',
  'registryKey',
  'fileHashes',
  'alertWebUrl',
];
const types = [
  'user',
  'device',
  'ip',
  'file',
  'fileHash',
  'process',
  'url',
  'dns',
  'mailbox',
  'analyzedMessage',
  'submissionMail',
  'teamsMessage',
  'mailCluster',
  'cloudApplication',
  'azureResource',
  'kubernetesPod',
  'kubernetesService',
  'networkConnection',
  'ioTDevice',
  'nic',
  'registryValue',
  'malware',
  'blob',
  'hostLogonSession',
  'nobodyKnows',
];

const { json } = fc.letrec<{ json: Json; leaf: Json; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('json'), { maxLength: 4 }),
    tie('object'),
  ),
  leaf: fc.oneof(
    nasty,
    fc.constantFrom<Json>(
      null,
      true,
      0,
      -1,
      1.5,
      2 ** 31,
      12345678901234567890n,
      '10.0.0.1',
      '::1',
      '2001:db8::1',
      '0001-01-01T00:00:00Z',
      '2025-03-04T10:13:27.7216667Z',
      '007',
    ),
    fc.constantFrom(...types).map((type) => `#microsoft.graph.security.${type}Evidence`),
    fc.tuple(nasty, fc.constantFrom(2, 10, 100, 1000)).map(([text, times]) => text.repeat(times)),
  ),
  object: fc
    .array(fc.tuple(fc.constantFrom(...names), tie('json')), { maxLength: 6 })
    // As JSON.parse makes it: `__proto__` is a property like any other.
    .map((entries) => {
      const object = {};
      for (const [name, value] of entries)
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
      return object as JsonObject;
    }),
}));

const someEvidence = fc.tuple(fc.constantFrom(...types), json).map(([type, fields]): Json => {
  const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields);
  return {
    ...(isObject ? fields : { name: fields }),
    '@odata.type': `#microsoft.graph.security.${type}Evidence`,
  };
});

const anyBody: fc.Arbitrary<JsonObject> = fc.oneof(
  json as fc.Arbitrary<JsonObject>,
  fc.record({ title: json, description: json, evidence: fc.array(someEvidence, { maxLength: 8 }) }),
  fc.record({
    detectorId: json,
    severity: json,
    evidence: json,
    alertWebUrl: json,
    tenantId: json,
    mitreTechniques: json,
  }),
);

const anyRecord = fc
  .record({
    body: anyBody,
    id: fc.oneof(
      fc.constant('da1'),
      nasty.map((id) => `a${id}`),
    ),
    tenant: nasty,
    severity: nasty,
    outcome: fc.constantFrom(...outcomes),
    revision: fc.bigInt({ min: 0n, max: 3_155_378_975_999_999_999n }),
    unrevised: fc.nat({ max: 3 }),
    timeMs: fc.oneof(fc.constant(Number.NaN), fc.integer({ min: -1e14, max: 2.5e14 })),
  })
  .map((fields) => aRecord({}, fields));

describe('any record', patience, () => {
  it('S8: gives valid events within the budget, whose number does not depend on the stamp', () => {
    fc.assert(
      fc.property(anyRecord, fc.integer({ min: 1024, max: 9000 }), (record, maxBytes) => {
        const small = { stream: 1, sequence: 1, sentMs: 1, maxBytes };
        const large = { stream: 2 ** 31 - 1, sequence: 2 ** 53 - 1e6, sentMs: 8.64e15, maxBytes };
        const lines = formatCef(record, large);
        let evidenceCount: string | undefined;
        lines.forEach((line, part) => {
          if (Buffer.byteLength(line) > maxBytes) throw new Error(`${Buffer.byteLength(line)} bytes`);
          const { extension } = checked(line);
          const id = extension.get('devicePayloadId') ?? '';
          evidenceCount ??= extension.get('cn2');
          if (extension.get('cn2') !== evidenceCount) throw new Error('another evidenceCount');
          if (extension.get('cn3') !== String(large.sequence + part)) throw new Error('another sequence');
          if (id.endsWith(`:${part + 1}/${lines.length}`) !== lines.length > 1) throw new Error(`part ${id}`);
        });
        const again = formatCef(record, small);
        if (again.length !== lines.length || again.length === 0) throw new Error(`${again.length} parts`);
      }),
      { numRuns: 40_000 },
    );
  });

  it.each<[string, Json]>([
    ['null', null],
    ['an array', [[[]]]],
    ['a text', 'alert'],
    ['evidence that is an object', { evidence: { 0: 'a' } }],
    ['evidence of nulls and texts', { evidence: [null, 'text', 7, [], [[]], {}] }],
    [
      'prototype keys',
      parseJson('{"__proto__":{"title":"forged"},"evidence":[{"__proto__":1,"constructor":2}]}') as Json,
    ],
    ['10,000 levels', nestedObject(10_000)],
    [
      '100,000 pieces of evidence',
      { evidence: Array.from({ length: 100_000 }, (_, id) => ({ name: `${id}` })) },
    ],
  ])('S8: gives valid events when its body is %s', (_, body) => {
    for (const line of formatCef(aRecord({}, { body: body as JsonObject }), aStamp())) {
      checked(line);
      expect(line).not.toContain('forged');
    }
  });
});

function nestedObject(levels: number): Json {
  let body: Json = 'end';
  for (let level = 0; level < levels; level += 1) {
    body = {
      evidence: [body],
      namespace: body,
      '@odata.type': '#microsoft.graph.security.kubernetesPodEvidence',
    };
  }
  return body;
}
