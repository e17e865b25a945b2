import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import type { Json } from '../../../core/record.ts';
import { isRoutable, parseAddress } from '../address.ts';
import { known, list, object, text, texts } from '../read.ts';
import { ids, type Note, nestedList, type Reading } from './reading.ts';

export function device(raw: Json | undefined): Reading {
  const device = object<Graph.DeviceEvidence>(raw);
  const host = text(device.hostName);
  const name = text(device.deviceDnsName) || host;
  const id = text(device.mdeDeviceId);
  const last = text(device.lastIpAddress);
  const interfaces = texts(device.ipInterfaces);
  const address = [last, ...interfaces].find(isRoutableText);
  return {
    value: name || id || text(device.azureAdDeviceId),
    ids: ids(['device', id], ['aadDevice', text(device.azureAdDeviceId)]),
    name: `device:${name.toLowerCase()}`,
    group: 'host',
    claims: [
      ['host', name],
      ['dnsDomain', text(device.dnsDomain)],
    ],
    extras: [
      ['address', address ?? ''],
      ['translated', text(device.lastExternalIpAddress)],
    ],
    notes: [
      ['ip', address === undefined ? last : ''],
      ['mdeDeviceId', id],
      ['risk', riskOf(device.riskScore)],
      ...list(device.loggedOnUsers).map(loggedOn),
    ],
    details: [['ip', address ?? '']],
    addresses: [last, text(device.lastExternalIpAddress), ...interfaces],
  };
}

function isRoutableText(value: string): boolean {
  const address = parseAddress(value);
  return address !== undefined && isRoutable(address);
}

function riskOf(raw: Json | undefined): string {
  const risk = known(raw);
  return risk === 'none' ? '' : risk;
}

function loggedOn(raw: Json): Note {
  const { accountName, domainName } = object<Graph.LoggedOnUser>(raw);
  return ['loggedOn', [text(domainName), text(accountName)].filter(Boolean).join('\\')];
}

export function ioTDevice(raw: Json | undefined): Reading {
  const device = object<Graph.IoTDeviceEvidence>(raw);
  const id = text(device.deviceId);
  const name = text(device.deviceName);
  const address = text(object<Graph.IpEvidence>(device.ipAddress).ipAddress);
  const mac = text(device.macAddress);
  return {
    value: name || id,
    ids: ids(['device', id]),
    name: `device:${name.toLowerCase()}`,
    group: 'host',
    covers: ids(['mac', mac]),
    claims: [
      ['host', name || id],
      ['mac', mac],
    ],
    extras: [['address', address]],
    notes: [
      ['deviceType', text(device.deviceType)],
      ['site', text(device.site)],
    ],
    details: [
      ['ip', address],
      ['mac', mac],
    ],
    nested: [
      ...nestedList('nic', device.nics),
      { type: 'azureResource', value: device.ioTHub },
      { type: 'url', value: device.sourceRef },
    ],
    addresses: [address],
  };
}

export function nic(raw: Json | undefined): Reading {
  const nic = object<Graph.NicEvidence>(raw);
  const mac = text(nic.macAddress);
  return {
    value: mac,
    ids: ids(['mac', mac]),
    group: 'nic',
    claims: [['mac', mac]],
    nested: [{ type: 'ip', value: nic.ipAddress }],
    addresses: [text(object<Graph.IpEvidence>(nic.ipAddress).ipAddress)],
  };
}
