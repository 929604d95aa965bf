import type { IncomingHttpHeaders } from 'node:http';
import type { TraceContext } from '../../core/outbound.ts';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const TRACESTATE_LENGTH_MAX = 512;
const TRACESTATE_MEMBERS_MAX = 32;
const MEMBER = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/;

/** Reads the W3C trace context of a request; what is malformed is ignored, as the recommendation asks. */
export function readTraceContext(headers: IncomingHttpHeaders): TraceContext | null {
  const given = headers['traceparent'];
  if (typeof given !== 'string') return null;
  const [, version, traceId = '', parentId = '', flags = '', rest] = TRACEPARENT.exec(given) ?? [];
  if (version === undefined || version === 'ff') return null;
  if (version === '00' && rest !== undefined) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(parentId)) return null;
  return { traceparent: `00-${traceId}-${parentId}-${flags}`, tracestate: readTracestate(headers['tracestate']) };
}

function readTracestate(value: string | string[] | undefined): string | null {
  if (typeof value !== 'string' || value.length > TRACESTATE_LENGTH_MAX) return null;
  const members = value.split(',').map((member) => member.trim());
  const named = members.filter((member) => member !== '');
  if (named.length === 0 || members.length > TRACESTATE_MEMBERS_MAX) return null;
  return named.every((member) => MEMBER.test(member)) ? named.join(',') : null;
}
