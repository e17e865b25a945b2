import type { SecurityNamespace as Graph } from '@microsoft/microsoft-graph-types';
import type { Json } from '../../../core/record.ts';
import { bracketed } from '../../../lib/host.ts';
import { isNobodys, parseAddress } from '../address.ts';
import { known, object, text } from '../read.ts';
import { ids, nestedList, type Reading } from './reading.ts';

export function ip(raw: Json | undefined): Reading {
  const ip = object<Graph.IpEvidence>(raw);
  const given = text(ip.ipAddress);
  const address = parseAddress(given);
  const value = address?.text ?? given;
  return {
    value,
    ids: ids(['ip', value]),
    ...(address && !isNobodys(address) && { group: 'address', claims: [['address', value]] }),
    notes: [['country', text(ip.countryLetterCode)]],
  };
}

export function networkConnection(raw: Json | undefined): Reading {
  const connection = object<Graph.NetworkConnectionEvidence>(raw);
  const source = text(object<Graph.IpEvidence>(connection.sourceAddress).ipAddress);
  const destination = text(object<Graph.IpEvidence>(connection.destinationAddress).ipAddress);
  const sourcePort = text(connection.sourcePort);
  const destinationPort = text(connection.destinationPort);
  const protocol = known(connection.protocol);
  const value = `${endpoint(source, sourcePort)}>${endpoint(destination, destinationPort)}`;
  return {
    value: value === '>' ? '' : `${value}${protocol && `/${protocol}`}`,
    group: 'connection',
    extras: [
      ['address', withoutNobodys(source), 'source'],
      ['port', sourcePort, 'source'],
      ['address', withoutNobodys(destination), 'destination'],
      ['port', destinationPort, 'destination'],
      ['proto', protocol],
    ],
    nested: [
      { type: 'ip', value: connection.sourceAddress, side: 'source' },
      { type: 'ip', value: connection.destinationAddress, side: 'destination' },
    ],
  };
}

function withoutNobodys(given: string): string {
  const address = parseAddress(given);
  return address && isNobodys(address) ? '' : given;
}

function endpoint(address: string, port: string): string {
  const host = bracketed(address);
  return port === '' ? host : `${host}:${port}`;
}

export function url(raw: Json | undefined): Reading {
  const address = typeof raw === 'string' ? text(raw) : text(object<Graph.UrlEvidence>(raw).url);
  return {
    value: address,
    ids: address === '' ? [] : [`url:${address}`],
    group: 'url',
    claims: [['request', address]],
    extras: [['dhost', hostOf(address), 'destination']],
  };
}

/** Host name of a URL; empty when it has none or is an address. */
function hostOf(address: string): string {
  const host = address.length > 8192 ? '' : (URL.parse(address)?.hostname ?? '');
  return parseAddress(host) || host.startsWith('[') ? '' : host;
}

export function dns(raw: Json | undefined): Reading {
  const dns = object<Graph.DnsEvidence>(raw);
  const domain = text(dns.domainName);
  return {
    value: domain,
    ids: ids(['dns', domain]),
    group: 'url',
    late: true,
    claims: [['request', domain]],
    extras: [['dhost', domain, 'destination']],
    nested: [
      { type: 'ip', value: dns.hostIpAddress, side: 'source' },
      ...nestedList('ip', dns.ipAddresses, 'destination'),
      { type: 'ip', value: dns.dnsServerIp, side: 'destination' },
    ],
  };
}
