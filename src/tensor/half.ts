/** Half precision (IEEE 754 binary16) on the CPU: JavaScript engines of today lack `Float16Array`. */

/** Powers of two that place the fraction of each exponent; the fraction has ten bits. */
const scaleOf = (exponent: number) => 2 ** (Math.max(exponent, 1) - 25);

/** Widens. Every half is exact in f32. */
export function fromHalf(halves: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(halves, (half) => {
    const sign = half >>> 15 === 1 ? -1 : 1;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (exponent === 0 ? fraction : fraction + 1024) * scaleOf(exponent);
  });
}

/** Narrows, to the nearest and ties to even, as a GPU does. The length is made even, since buffers go in words. */
export function toHalf(values: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length + (values.length % 2));
  for (let index = 0; index < values.length; index++) halves[index] = halfOf(values[index]!);
  return halves;
}

function halfOf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(magnitude)) return 0x7e00;
  if (magnitude >= 65_520) return sign | 0x7c00; // rounds beyond the greatest half
  const exponent = Math.max(1, Math.floor(Math.log2(magnitude)) + 15);
  // A fraction that rounds up to 2048 carries into the exponent by itself; so does a log2 that came out too small.
  const fraction = roundTiesToEven(magnitude / scaleOf(exponent));
  return sign | (fraction < 1024 ? fraction : ((exponent - 1) << 10) + fraction);
}

function roundTiesToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
