/**
 * TensorBoard's event files: messages `Event` (tensorflow/core/util/event.proto) in TFRecord frames
 * (tensorflow/core/lib/io/record_writer.h),
 *
 *   u64 length · u32 masked CRC of the length · the message · u32 masked CRC of the message,
 *
 * all little-endian. The CRC is CRC-32C (RFC 3720, B.4), rotated and shifted by a constant, since a CRC over data that
 * contain CRCs would be weak.
 */

/** What an event says: the version of the file, or values of one step. */
export type EventContent =
  | { readonly version: string }
  | { readonly step: number; readonly scalars: Readonly<Record<string, number>> }
  | { readonly step: number; readonly histograms: Readonly<Record<string, Histogram>> };

/** TensorFlow's `HistogramProto`: bucket i counts the values up to `limits[i]` that are above the limit before. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  readonly limits: readonly number[];
  readonly buckets: readonly number[];
}

/** Events as they stand in a file. @param wallTime seconds since 1970. */
export function encodeEvents(wallTime: number, events: readonly EventContent[]): Uint8Array<ArrayBuffer> {
  const frames = events.map((event) => framed(Uint8Array.from([...double(1, wallTime), ...bodyOf(event)])));
  return Uint8Array.from(frames.flatMap((frame) => Array.from(frame)));
}

function bodyOf(content: EventContent): number[] {
  if ("version" in content) return text(3, content.version);
  const values =
    "scalars" in content
      ? Object.entries(content.scalars).map(([tag, value]) => text(1, tag).concat(float(2, value)))
      : Object.entries(content.histograms).map(([tag, value]) => text(1, tag).concat(field(5, histogram(value))));
  return [
    ...key(2, 0),
    ...varint(content.step),
    ...field(
      5,
      values.flatMap((value) => field(1, value)),
    ),
  ];
}

function histogram({ min, max, count, sum, sumOfSquares, limits, buckets }: Histogram): number[] {
  return [
    ...[min, max, count, sum, sumOfSquares].flatMap((value, at) => double(at + 1, value)),
    ...field(6, limits.flatMap(doubleBytes)),
    ...field(7, buckets.flatMap(doubleBytes)),
  ];
}

/** `buckets` of equal width over the values that are finite; null where there is none. */
export function histogramOf(values: ArrayLike<number>, buckets = 30): Histogram | null {
  let [min, max, count, sum, sumOfSquares] = [Infinity, -Infinity, 0, 0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    if (!Number.isFinite(value)) continue;
    count++;
    sum += value;
    sumOfSquares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (count === 0) return null;
  const bins = max > min ? buckets : 1;
  const width = (max - min) / bins;
  const counts = new Array<number>(bins).fill(0);
  for (let at = 0; at < values.length; at++) {
    const bin = bins === 1 ? 0 : Math.min(bins - 1, Math.floor((values[at]! - min) / width));
    if (Number.isFinite(values[at])) counts[bin]!++;
  }
  const limits = counts.map((_, bin) => (bin === bins - 1 ? max : min + (bin + 1) * width));
  return { min, max, count, sum, sumOfSquares, limits, buckets: counts };
}

// Protocol buffers: a field is its number and wire type in one varint, then its value.

function key(number: number, wireType: 0 | 1 | 2 | 5): number[] {
  return varint(number * 8 + wireType);
}

/** Seven bits a byte, the lowest first; the eighth bit says that more follow. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

/** Bytes of known length: a message, a text, packed numbers. */
function field(number: number, content: readonly number[]): number[] {
  return [...key(number, 2), ...varint(content.length), ...content];
}

function text(number: number, value: string): number[] {
  return field(number, [...new TextEncoder().encode(value)]);
}

function double(number: number, value: number): number[] {
  return [...key(number, 1), ...doubleBytes(value)];
}

function float(number: number, value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return [...key(number, 5), ...new Uint8Array(view.buffer)];
}

function doubleBytes(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

function framed(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(message.length + 16);
  const view = new DataView(frame.buffer);
  view.setBigUint64(0, BigInt(message.length), true);
  view.setUint32(8, masked(crc32c(frame.subarray(0, 8))), true);
  frame.set(message, 12);
  view.setUint32(12 + message.length, masked(crc32c(message)), true);
  return frame;
}

function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** CRC-32C of each byte: the polynomial 0x1EDC6F41, its bits reversed. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}
