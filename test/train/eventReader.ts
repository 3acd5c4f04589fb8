/**
 * An independent reader of TensorBoard's event files, written from the descriptions of TFRecord and of protocol buffers:
 * it divides bit by bit where the writer has a table, and knows no field before it meets it.
 */
import * as assert from "uvu/assert";

type Field = number | bigint | Uint8Array;

export interface ReadHistogram {
  readonly min: number;
  readonly max: number;
  readonly num: number;
  readonly sum: number;
  readonly sumSquares: number;
  readonly limits: readonly number[];
  readonly buckets: readonly number[];
}

export interface ReadEvent {
  readonly wallTime: number;
  readonly step: number;
  readonly version: string | undefined;
  readonly scalars: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, ReadHistogram>>;
}

/** Remainder of polynomial division over GF(2), most significant bit last (RFC 3720, B.4). */
export function slowCrc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffffn;
  for (const byte of bytes) {
    remainder ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) remainder = remainder & 1n ? (remainder >> 1n) ^ 0x82f63b78n : remainder >> 1n;
  }
  return Number(remainder ^ 0xffffffffn);
}

/** Undoes the mask, and compares. */
function checkCrc(stored: number, bytes: Uint8Array): void {
  const rotated = (BigInt(stored) - 0xa282ead8n) & 0xffffffffn;
  const crc = ((rotated >> 17n) | (rotated << 15n)) & 0xffffffffn;
  assert.is(Number(crc), slowCrc32c(bytes), "CRC");
}

/** All events of a file; throws where a CRC is wrong or the last record is cut. */
export function readEvents(file: Uint8Array): ReadEvent[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const events: ReadEvent[] = [];
  let at = 0;
  while (at < file.length) {
    const length = Number(view.getBigUint64(at, true));
    checkCrc(view.getUint32(at + 8, true), file.subarray(at, at + 8));
    const message = file.subarray(at + 12, at + 12 + length);
    assert.is(message.length, length, "a whole record");
    checkCrc(view.getUint32(at + 12 + length, true), message);
    events.push(eventOf(message));
    at += length + 16;
  }
  return events;
}

function eventOf(bytes: Uint8Array): ReadEvent {
  const fields = fieldsOf(bytes);
  const values = fields
    .filter(([number]) => number === 5)
    .flatMap(([, summary]) =>
      fieldsOf(summary as Uint8Array).map(([, value]) => new Map(fieldsOf(value as Uint8Array))),
    );
  const tag = (value: Map<number, Field>): string => textOf(value.get(1));
  const one = new Map(fields);
  return {
    wallTime: one.get(1) as number,
    step: Number(one.get(2) ?? 0),
    version: one.has(3) ? textOf(one.get(3)) : undefined,
    scalars: Object.fromEntries(values.filter((v) => v.has(2)).map((v) => [tag(v), v.get(2) as number])),
    histograms: Object.fromEntries(values.filter((v) => v.has(5)).map((v) => [tag(v), histogramOf(v.get(5))])),
  };
}

function histogramOf(bytes: Field | undefined): ReadHistogram {
  const fields = new Map(fieldsOf(bytes as Uint8Array));
  const [min, max, num, sum, sumSquares] = [1, 2, 3, 4, 5].map((number) => fields.get(number) as number);
  return {
    min: min!,
    max: max!,
    num: num!,
    sum: sum!,
    sumSquares: sumSquares!,
    limits: doublesOf(fields.get(6)),
    buckets: doublesOf(fields.get(7)),
  };
}

function textOf(bytes: Field | undefined): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes as Uint8Array);
}

function doublesOf(bytes: Field | undefined): number[] {
  const buffer = Buffer.from(bytes as Uint8Array);
  return Array.from({ length: buffer.length / 8 }, (_, i) => buffer.readDoubleLE(8 * i));
}

/** Number and value of every field, in order. */
function fieldsOf(bytes: Uint8Array): [number, Field][] {
  const buffer = Buffer.from(bytes);
  const fields: [number, Field][] = [];
  let at = 0;
  const varint = (): bigint => {
    let [value, shift] = [0n, 0n];
    for (;;) {
      const byte = buffer[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7n;
    }
  };
  while (at < buffer.length) {
    const tag = Number(varint());
    const take = (count: number): number => (at += count) - count;
    const read: Readonly<Record<number, () => Field>> = {
      0: varint,
      1: () => buffer.readDoubleLE(take(8)),
      2: () => {
        const length = Number(varint());
        return Uint8Array.from(buffer.subarray(take(length), at));
      },
      5: () => buffer.readFloatLE(take(4)),
    };
    fields.push([tag >> 3, read[tag & 7]!()]);
  }
  assert.is(at, buffer.length, "fields end with their message");
  return fields;
}
