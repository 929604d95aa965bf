import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/core/json.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { kindFixtures } from '../../support/kind-fixtures.ts';

const telling = PROVIDER_KINDS.flatMap((kind) => (kind.inbound ? [[kind.kind, kind.inbound] as const] : []));

describe('vendors that send webhooks', () => {
  it('are the two whose documents describe a signature', () => {
    expect(telling.map(([kind, { signature }]) => [kind, signature])).toEqual([
      ['b3os', { header: 'x-b3os-signature', timestamp: null }],
      [
        'interactly',
        { header: 'x-interactly-signature', timestamp: { header: 'x-interactly-timestamp', toleranceS: 300 } },
      ],
    ]);
  });
});

describe.each(telling)('a webhook of %s', (name, inbound) => {
  const fixtures = kindFixtures(name).inbound;

  it.each(fixtures.map((fixture) => [fixture.name, fixture] as const))('names its run: %s', (_, { body, run }) => {
    expect(inbound.read(body)).toEqual(run);
  });

  it('is read without a complaint whatever it holds', () => {
    fc.assert(
      fc.property(fc.jsonValue() as fc.Arbitrary<Json>, (body) => {
        expect(inbound.read(body)).toBeNull();
      }),
    );
  });
});
