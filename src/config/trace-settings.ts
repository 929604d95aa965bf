import { Secret } from '../core/secret.ts';
import type { SettingReader } from './setting-reader.ts';
import type { TextSetting } from './text-settings.ts';

/**
 * OpenTelemetry's own variables, as far as they mean something here. Each is read as its specification says, except
 * that a wrong value refuses the start.
 */
export const TRACE_SETTINGS = {
  endpoint: {
    variable: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    form: 'an http or https URL',
    default: null,
    secret: false,
    docs: 'A collector of traces; they are posted to `/v1/traces` below it, as OTLP in JSON. Without this and the next one nothing is traced.',
  },
  tracesEndpoint: {
    variable: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    form: 'an http or https URL',
    default: null,
    secret: false,
    docs: 'The same, as the whole address; it goes before `OTEL_EXPORTER_OTLP_ENDPOINT`.',
  },
  protocol: {
    variable: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    form: 'http/json or http/protobuf',
    default: 'http/json',
    secret: false,
    docs: 'Spans are always posted as JSON, which a collector takes at the same address; `grpc` is refused, because its port does not.',
  },
  tracesProtocol: {
    variable: 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
    form: 'http/json or http/protobuf',
    default: null,
    secret: false,
    docs: 'The same; it goes before `OTEL_EXPORTER_OTLP_PROTOCOL`.',
  },
  headers: {
    variable: 'OTEL_EXPORTER_OTLP_HEADERS',
    form: 'name=value,name=value',
    default: null,
    secret: true,
    docs: 'What the collector wants to be shown, such as a key; values percent-encoded.',
  },
  tracesHeaders: {
    variable: 'OTEL_EXPORTER_OTLP_TRACES_HEADERS',
    form: 'name=value,name=value',
    default: null,
    secret: true,
    docs: 'The same; a header of both is taken from here.',
  },
  serviceName: {
    variable: 'OTEL_SERVICE_NAME',
    form: 'a name',
    default: 'rungate',
    secret: false,
    docs: 'Whose spans they are.',
  },
  resource: {
    variable: 'OTEL_RESOURCE_ATTRIBUTES',
    form: 'name=value,name=value',
    default: null,
    secret: false,
    docs: 'More about whose they are, such as `deployment.environment.name=production`; values percent-encoded.',
  },
  sampler: {
    variable: 'OTEL_TRACES_SAMPLER',
    form: 'always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio',
    default: 'parentbased_always_on',
    secret: false,
    docs: 'Which traces are sent. With `parentbased_…` a caller that sends a `traceparent` decides for its own.',
  },
  samplerArgument: {
    variable: 'OTEL_TRACES_SAMPLER_ARG',
    form: 'a number from 0 to 1',
    default: '1',
    secret: false,
    docs: 'The share of traces that the `…traceidratio` samplers take.',
  },
} as const satisfies Record<string, TextSetting>;

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

const PROTOCOLS: readonly string[] = ['http/json', 'http/protobuf'];

const TRACES_PATH = '/v1/traces';
const TEXT_LENGTH_MAX = 8_192;
/** A header's name, or an attribute's, and a value that may be written into a header. */
const PAIR = /^\s*([A-Za-z0-9!#$%&'*+.^_|~-]{1,255})\s*=\s*([\x21-\x7e]*)\s*$/;
const HEADER_VALUE = /^[\x20-\x7e]*$/;

/** Where spans go, and which; the observability folder's `TraceTarget`. */
export interface TraceSettings {
  url: string;
  headers: Readonly<Record<string, Secret>>;
  resource: Readonly<Record<string, string>>;
  sampler: { name: (typeof SAMPLERS)[number]; ratio: number };
}

/** What the variables say of traces; null: nothing is traced. Where nothing is, the other variables are not looked at. */
export function readTraceSettings(reader: SettingReader): TraceSettings | null {
  const url = readUrl(reader);
  if (url === null) return null;
  checkProtocol(reader);
  const { serviceName } = TRACE_SETTINGS;
  const headers = {
    ...readPairs(reader, TRACE_SETTINGS.headers, HEADER_VALUE),
    ...readPairs(reader, TRACE_SETTINGS.tracesHeaders, HEADER_VALUE),
  };
  const given = reader.text(serviceName);
  const attributes = readPairs(reader, TRACE_SETTINGS.resource, null);
  return {
    url,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, new Secret(value)])),
    resource: {
      'service.name': serviceName.default,
      ...attributes,
      ...(given === undefined ? {} : { 'service.name': given }),
    },
    sampler: { name: readSampler(reader), ratio: readRatio(reader) },
  };
}

/** Faults never quote the address, which may hold a key. */
function readUrl(reader: SettingReader): string | null {
  const { endpoint, tracesEndpoint } = TRACE_SETTINGS;
  const setting = reader.text(tracesEndpoint) === undefined ? endpoint : tracesEndpoint;
  const text = reader.text(setting);
  if (text === undefined) return null;
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    const headers = TRACE_SETTINGS.headers.variable;
    reader.fault(setting.variable, `expected ${setting.form}, without a password; ${headers} takes keys`);
    return null;
  }
  if (setting === endpoint) url.pathname = url.pathname.replace(/\/*$/, TRACES_PATH);
  return url.href;
}

function checkProtocol(reader: SettingReader): void {
  const { protocol, tracesProtocol } = TRACE_SETTINGS;
  const setting = reader.text(tracesProtocol) === undefined ? protocol : tracesProtocol;
  if (PROTOCOLS.includes(reader.text(setting) ?? protocol.default)) return;
  reader.fault(
    setting.variable,
    `expected ${setting.form}: the collector's HTTP port, 4318 with most, not the one for gRPC`,
  );
}

/** Faults never quote: a value can be secret. */
function readPairs(reader: SettingReader, setting: TextSetting, values: RegExp | null): Record<string, string> {
  const text = reader.text(setting) ?? '';
  const pairs: Record<string, string> = {};
  if (text.length > TEXT_LENGTH_MAX) {
    reader.fault(setting.variable, `expected at most ${TEXT_LENGTH_MAX} characters`);
    return pairs;
  }
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [, name, encoded = ''] = PAIR.exec(part) ?? [];
    const value = decode(encoded);
    if (name === undefined || value === null || values?.test(value) === false) {
      reader.fault(setting.variable, `expected ${setting.form}, values percent-encoded`);
      return {};
    }
    pairs[name] = value;
  }
  return pairs;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function readSampler(reader: SettingReader): TraceSettings['sampler']['name'] {
  const { sampler } = TRACE_SETTINGS;
  const text = reader.text(sampler) ?? sampler.default;
  const name = SAMPLERS.find((known) => known === text);
  if (name === undefined) reader.fault(sampler.variable, `expected ${sampler.form}`);
  return name ?? sampler.default;
}

function readRatio(reader: SettingReader): number {
  const { samplerArgument } = TRACE_SETTINGS;
  const text = reader.text(samplerArgument) ?? samplerArgument.default;
  const ratio = /^[01]?(\.\d{1,15})?$/.test(text) ? Number(text) : Number.NaN;
  if (ratio >= 0 && ratio <= 1) return ratio;
  reader.fault(samplerArgument.variable, `expected ${samplerArgument.form}`);
  return 1;
}
