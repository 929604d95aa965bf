import { createCipheriv } from 'node:crypto';
import type { Random } from '../../src/core/random.ts';
import type { MasterKey } from '../../src/vault/master-key.ts';
import type { SealedPlace } from '../../src/vault/sealed-box.ts';

/** A secret directly under the master key, as the first releases sealed it; written by hand, since nothing makes it any more. */
export function sealVersion1(
  text: string,
  { id, provider, purpose, column }: SealedPlace,
  { key, random }: { key: MasterKey; random: Random },
): Uint8Array {
  const header = Buffer.concat([Uint8Array.of(1), Buffer.from(key.fingerprint, 'hex'), random.bytes(12)]);
  const parts = ['rungate sealed box', header, id, provider, purpose, column].map((part) => Buffer.from(part));
  const cipher = createCipheriv('aes-256-gcm', key.secret, header.subarray(9), { authTagLength: 16 });
  cipher.setAAD(Buffer.concat(parts.flatMap((part) => [lengthOf(part), part])));
  return Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

function lengthOf(part: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return length;
}
