import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { loadSettings } from '../../../src/config/load-settings.ts';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function tracesOf(environment: Record<string, string>) {
  return loadSettings(environment).traces;
}

function faultsOf(environment: Record<string, string>): string[] {
  try {
    loadSettings(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map(({ source, message }) => `${source}: ${message}`);
    throw error;
  }
  return [];
}

describe('the settings of traces', () => {
  it('say nothing without an endpoint, whatever else is set', () => {
    expect(tracesOf({ OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'unheard_of' })).toBeNull();
  });

  it('have OpenTelemetry’s defaults', () => {
    expect(tracesOf(ENDPOINT)).toEqual({
      url: 'http://collector:4318/v1/traces',
      headers: {},
      resource: { 'service.name': 'rungate' },
      sampler: { name: 'parentbased_always_on', ratio: 1 },
    });
  });

  it.each([
    ['http://collector:4318/', 'http://collector:4318/v1/traces'],
    ['https://collector/otlp/', 'https://collector/otlp/v1/traces'],
    ['http://collector/otlp?key=1', 'http://collector/otlp/v1/traces?key=1'],
  ])('find the path below %s', (endpoint, url) => {
    expect(tracesOf({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })?.url).toBe(url);
  });

  it('refuse a protocol that spans are not sent by', () => {
    const grpc = { ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    expect(faultsOf(grpc)).toEqual([expect.stringMatching(/^OTEL_EXPORTER_OTLP_PROTOCOL: expected http\/json .*4318/)]);
    expect(faultsOf({ ...grpc, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/protobuf' })).toEqual([]);
    expect(faultsOf({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' })).toHaveLength(1);
  });

  it('take the address for traces as it is', () => {
    const traces = tracesOf({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other/spans' });
    expect(traces?.url).toBe('https://other/spans');
  });

  it('have closed headers, and those for traces go first', () => {
    const traces = tracesOf({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20general, x-team = a',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'authorization=Bearer%20a-marker',
    });
    const { authorization, 'x-team': team } = traces?.headers ?? {};
    expect([authorization?.open(), team?.open()]).toEqual(['Bearer a-marker', 'a']);
    expect(JSON.stringify(traces)).not.toContain('a-marker');
  });

  it('name whose spans they are', () => {
    const resource = { OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=pre%2Dview,service.name=a' };
    expect(tracesOf({ ...ENDPOINT, ...resource })?.resource).toEqual({
      'service.name': 'a',
      'deployment.environment.name': 'pre-view',
    });
    expect(tracesOf({ ...ENDPOINT, ...resource, OTEL_SERVICE_NAME: 'b' })?.resource['service.name']).toBe('b');
  });

  it('read the sampler and its share', () => {
    const given = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '.05' };
    expect(tracesOf({ ...ENDPOINT, ...given })?.sampler).toEqual({ name: 'parentbased_traceidratio', ratio: 0.05 });
  });

  it.each([
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://a:a-marker@collector'],
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'a-marker'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a-marker'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'x=a-marker%0d%0ax-evil:1'],
    ['OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'x y=a-marker'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%ff'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', '5%'],
    ['OTEL_TRACES_SAMPLER_ARG', '.'],
  ])('refuse %s=%s by name, without the value', (name, value) => {
    const faults = faultsOf({ ...ENDPOINT, [name]: value });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${name}: expected `));
    expect(faults[0]).not.toContain('a-marker');
  });
});
