import type { Format } from '../../core/format.ts';
import { type Alert, draftOf } from './alert.ts';
import { clean, createEncoder, type Escaping } from './escape.ts';
import { classIdOf, nameOf, productOf, type Severities, type SignatureId, severityOf } from './header.ts';
import { heartbeatLine } from './heartbeat.ts';
import { ownLine } from './own.ts';
import { renderParts } from './parts.ts';
import { object, text } from './read.ts';

export interface CefOptions extends Escaping {
  readonly vendor: string;
  readonly signatureId: SignatureId;
  readonly severity: Severities;
}

/** The format of profile `defender`: an alert as one CEF event, or as several when it is too large for one. */
export function createCef(options: CefOptions): Format {
  const encoder = createEncoder(options);
  const vendor = clean(options.vendor) || 'Microsoft';
  return (record, stamp) => {
    if (record.kind === 'heartbeat') return [heartbeatLine(record, stamp)];
    const severity = severityOf(record.severity, options.severity);
    if (record.kind === 'relay') return [ownLine(record, severity, stamp, encoder)];
    const alert: Alert = object(record.body);
    const draft = draftOf(record, alert);
    const name = nameOf(alert);
    if (name.cut) draft.shortened.add('name');
    const event = {
      vendor,
      product: productOf(text(alert.serviceSource)),
      classId: classIdOf(alert, options.signatureId),
      name: name.text,
      severity,
      draft,
    };
    const isFirstTelling = record.outcome === 'new' || record.outcome === 'update';
    const telling = {
      payloadId: record.unrevised > 0 ? `${record.revision}.${record.unrevised}` : `${record.revision}`,
      stream: stamp.stream,
      sequence: stamp.sequence,
      sent: isFirstTelling ? undefined : stamp.sentMs,
    };
    return renderParts(event, telling, encoder, stamp.maxBytes);
  };
}
