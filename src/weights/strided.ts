/**
 * Elements in another order. A transposed tensor of PyTorch, an array in Fortran order and a kernel whose axes have to
 * change places are all one thing: extents, and for each axis the distance from one element to the next.
 */

/** How a row-major tensor's elements lie in some other place; strides count elements. */
export interface StridedView {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** Strides of a tensor whose last axis runs fastest. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** The axes of a row-major tensor in another order. */
export function permuted(shape: readonly number[], axes: readonly number[]): StridedView {
  const strides = rowMajor(shape);
  return { shape: axes.map((axis) => shape[axis]!), strides: axes.map((axis) => strides[axis]!) };
}

/** Whether the elements lie in row-major order already. Strides of axes with one element do not matter. */
export function isRowMajor({ shape, strides }: StridedView): boolean {
  const expected = rowMajor(shape);
  return (
    shape.some((extent) => extent === 0) ||
    shape.every((extent, axis) => extent === 1 || strides[axis] === expected[axis])
  );
}

/**
 * The elements of a view in row-major order: a view of `bytes` if they lie so, else a copy.
 * @param bytes from the view's first element on. @param itemBytes size of one element.
 */
export function gather(bytes: Uint8Array, itemBytes: number, view: StridedView): Uint8Array {
  const size = view.shape.reduce((product, extent) => product * extent, itemBytes);
  if (isRowMajor(view)) return bytes.subarray(0, size);
  // Elements move as whole words where they are aligned, else as the largest pieces that are.
  const unit = [4, 2, 1].find((width) => itemBytes % width === 0 && bytes.byteOffset % width === 0)!;
  const words = itemBytes / unit;
  const source = wordsOf(bytes.subarray(0, bytes.length - (bytes.length % unit)), unit);
  const target = wordsOf(new Uint8Array(size), unit);
  // Axes of one element only cost time, and one word an element is such an axis.
  const axes = [...view.shape.keys()].filter((axis) => view.shape[axis] !== 1);
  const [shape, strides] = [axes.map((axis) => view.shape[axis]!), axes.map((axis) => view.strides[axis]! * words)];
  if (words > 1) copy(source, target, [...shape, words], [...strides, 1]);
  else copy(source, target, shape, strides);
  return new Uint8Array(target.buffer);
}

type Words = Uint32Array | Uint16Array | Uint8Array;

function wordsOf({ buffer, byteOffset, length }: Uint8Array, unit: number): Words {
  const place = [buffer, byteOffset, length / unit] as const;
  if (unit === 4) return new Uint32Array(...place);
  return unit === 2 ? new Uint16Array(...place) : new Uint8Array(...place);
}

/** Elements of the last axis that are written side by side: their lines of the source stay in the cache. */
const BLOCK = 64;

/**
 * Copies in the order in which the source lies, a block of the last axis at a time; in the order of the target, a large
 * transpose would miss the cache at every element (measured on VGG16's first dense layer: three times slower).
 */
function copy(source: Words, target: Words, shape: readonly number[], strides: readonly number[]): void {
  const last = shape.length - 1;
  const targetStrides = rowMajor(shape);
  const axes = [...shape.keys()].slice(0, last).sort((a, b) => strides[a]! - strides[b]!);
  const step = strides[last]!;
  for (let start = 0; start < shape[last]!; start += BLOCK) {
    const count = Math.min(BLOCK, shape[last]! - start);
    const index = new Array<number>(last).fill(0);
    let [place, targetPlace] = [start * step, start];
    for (let axis: number | undefined = 0; axis !== undefined;) {
      for (let item = 0; item < count; item++) target[targetPlace + item] = source[place + item * step]!;
      // The next index, counting the axis of the smallest stride first; none when all have been counted through.
      axis = axes.find((candidate) => {
        place += strides[candidate]!;
        targetPlace += targetStrides[candidate]!;
        if (++index[candidate]! < shape[candidate]!) return true;
        place -= strides[candidate]! * shape[candidate]!;
        targetPlace -= targetStrides[candidate]! * shape[candidate]!;
        index[candidate] = 0;
        return false;
      });
    }
  }
}
