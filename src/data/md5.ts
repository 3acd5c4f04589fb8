/**
 * MD5 (RFC 1321) for pages, whose Web Crypto does not offer it. The published checksums of data sets are MD5s; it guards
 * against accidents, not against enemies.
 */

const SHIFTS: readonly number[] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
// floor(2³² · |sin(i + 1)|), the constants of RFC 1321 §3.4.
const SINES = Int32Array.from({ length: 64 }, (_, at) => Math.floor(0x1_0000_0000 * Math.abs(Math.sin(at + 1))) | 0);
const BLOCK_BYTES = 64;

/** MD5 of `bytes` as 32 lower-case hexadecimal digits. */
export function md5Hex(bytes: Uint8Array): string {
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const words = new Int32Array(16);
  const wholeEnd = bytes.length - (bytes.length % BLOCK_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start < wholeEnd; start += BLOCK_BYTES) mixBlock(state, view, start, words);
  const tail = paddedTail(bytes, wholeEnd);
  for (let start = 0; start < tail.byteLength; start += BLOCK_BYTES) mixBlock(state, tail, start, words);
  return Array.from(new Uint8Array(littleEndian(state)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function mixBlock(state: Int32Array, view: DataView, start: number, words: Int32Array): void {
  for (let at = 0; at < 16; at++) words[at] = view.getInt32(start + 4 * at, true);
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (let step = 0; step < 64; step++) {
    const round = step >> 4;
    const sum = (a + mixBits(round, b, c, d) + (SINES[step] ?? 0) + (words[wordOf(round, step)] ?? 0)) | 0;
    const shift = SHIFTS[4 * round + (step & 3)] ?? 0;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = (state[0] ?? 0) + a;
  state[1] = (state[1] ?? 0) + b;
  state[2] = (state[2] ?? 0) + c;
  state[3] = (state[3] ?? 0) + d;
}

function mixBits(round: number, b: number, c: number, d: number): number {
  if (round === 0) return (b & c) | (~b & d);
  if (round === 1) return (b & d) | (c & ~d);
  return round === 2 ? b ^ c ^ d : c ^ (b | ~d);
}

function wordOf(round: number, step: number): number {
  if (round === 0) return step;
  if (round === 1) return (5 * step + 1) & 15;
  return round === 2 ? (3 * step + 5) & 15 : (7 * step) & 15;
}

/** The bytes after the last whole block, a one bit, zeros, and the length in bits as a little-endian uint64. */
function paddedTail(bytes: Uint8Array, wholeEnd: number): DataView {
  const rest = bytes.length - wholeEnd;
  const tail = new Uint8Array(rest < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES);
  tail.set(bytes.subarray(wholeEnd));
  tail[rest] = 0x80;
  const view = new DataView(tail.buffer);
  view.setBigUint64(tail.length - 8, BigInt(bytes.length) * 8n, true);
  return view;
}

function littleEndian(state: Int32Array): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(16));
  state.forEach((word, at) => view.setInt32(4 * at, word, true));
  return view.buffer;
}
