/** RFC 6455, section 5: frames as a server reads and writes them. */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  opcode: number;
  final: boolean;
  payload: Buffer;
}

/** A frame that breaks the protocol, with the close code that says so. */
export class FrameFault extends Error {
  override readonly name = 'FrameFault';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const CONTROL_BYTES_MAX = 125;
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;

/** Takes bytes as they come and gives back whole frames; throws `FrameFault`. Nothing beyond `bytesMax` a frame is kept. */
export function createFrameReader(bytesMax: number): (chunk: Buffer) => Frame[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const frames: Frame[] = [];
    for (let next = readFrame(rest, bytesMax); next !== null; next = readFrame(rest, bytesMax)) {
      frames.push(next.frame);
      rest = rest.subarray(next.bytes);
    }
    return frames;
  };
}

function readFrame(bytes: Buffer, bytesMax: number): { frame: Frame; bytes: number } | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  const opcode = first & 0x0f;
  const final = (first & 0x80) !== 0;
  if ((first & 0x70) !== 0) throw new FrameFault(1002, 'no extension was agreed on');
  if ((second & 0x80) === 0) throw new FrameFault(1002, 'a client masks its frames');
  const announced = second & 0x7f;
  if (opcode >= OPCODES.close && (announced > CONTROL_BYTES_MAX || !final)) {
    throw new FrameFault(1002, 'a control frame is short and whole');
  }
  const lengthBytes = announced === LENGTH_IN_2_BYTES ? 2 : announced === LENGTH_IN_8_BYTES ? 8 : 0;
  const head = 2 + lengthBytes + 4;
  if (bytes.length < head) return null;
  const length = lengthBytes === 0 ? announced : Number(readLength(bytes, lengthBytes));
  if (length > bytesMax) throw new FrameFault(1009, 'the message is too large');
  if (bytes.length < head + length) return null;
  const mask = bytes.subarray(head - 4, head);
  const payload = Buffer.from(bytes.subarray(head, head + length));
  for (let i = 0; i < length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { frame: { opcode, final, payload }, bytes: head + length };
}

function readLength(bytes: Buffer, lengthBytes: 2 | 8): bigint {
  return lengthBytes === 2 ? BigInt(bytes.readUInt16BE(2)) : bytes.readBigUInt64BE(2);
}

/** One frame, unmasked as a server's are. */
export function encodeFrame(opcode: number, payload: Uint8Array, { final = true } = {}): Buffer {
  const { length } = payload;
  const lengthBytes = length <= CONTROL_BYTES_MAX ? 0 : length <= 0xffff ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = opcode | (final ? 0x80 : 0);
  head[1] = lengthBytes === 0 ? length : lengthBytes === 2 ? LENGTH_IN_2_BYTES : LENGTH_IN_8_BYTES;
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}
