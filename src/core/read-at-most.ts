import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** Opening a pipe would otherwise wait for somebody to write into it, on a thread that nothing can call back. */
export const READ_WITHOUT_WAITING = constants.O_RDONLY | constants.O_NONBLOCK;

/** A file to its end; null where it has more than `bytesMax`. */
export async function readAtMost(handle: FileHandle, bytesMax: number): Promise<Buffer | null> {
  // One byte more than is allowed shows that there are too many.
  const buffer = Buffer.alloc(bytesMax + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length > bytesMax ? null : buffer.subarray(0, length);
}
