/**
 * Gather: slices along one axis, picked by index.
 *
 *   y[o, j, i] = x[o, index[j], i]          dx[o, r, i] = Σ dy[o, j, i] over all j with index[j] = r
 *
 * WGSL has no float atomics, so the gradient gathers in its turn: all j are sorted by the row that they name, by merging
 * runs of 1, 2, 4, … An element's place is its place in its own run plus the number of elements of the neighbouring run that
 * come before it, which a binary search finds. Of equal rows the smaller j comes first, so dx adds up in the order of j.
 */
import { DtypeError, OptionError } from "../errors.ts";
import { defineKernel, defineOp, normaliseAxes, run, sizeOf, Tensor, type Shape, type Width } from "../tensor/index.ts";

/** Slices picked, and slices there are. */
const uniforms = { n: "u32", extent: "u32" } as const;

/** A slice's elements (in fours), and the invocations that share it. */
const sliceUniforms = { ...uniforms, inner: "u32", parts: "u32" } as const;

/** Elements (in fours) that an invocation takes: where a slice lies is found once for all of them. */
const SHARE = 8;

const forward = defineKernel({
  name: "gather",
  uniforms: sliceUniforms,
  inputs: { x: "f32v", index: "u32" },
  outputs: { y: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, index, part of the slice)
      let slice = i / u.parts; let o = slice / u.n;
      let r = o * u.extent + min(index[slice - o * u.n], u.extent - 1u);
      for (var at = i - slice * u.parts; at < u.inner; at += u.parts) { store_y(slice * u.inner + at, x[r * u.inner + at]); }
    }`,
});

/** The first of the elements low … high − 1, sorted by row, whose row is not below `wanted`; `high` if there is none. */
const FIRST_NOT_BELOW = /* wgsl */ `
    fn firstNotBelow(wanted: u32, first: u32, last: u32) -> u32 {
      var low = first; var high = last;
      while (low < high) {
        let middle = (low + high) / 2u;
        if (rowAt(middle) < wanted) { low = middle + 1u; } else { high = middle; }
      }
      return low;
    }`;

/** Merges neighbouring runs of `length` elements, a power of two. The first round reads the indices, and counts the places. */
const merge = defineKernel({
  name: "gather.merge",
  uniforms: { ...uniforms, length: "u32" },
  inputs: { row: "u32", place: "u32" },
  outputs: { sortedRow: "u32", sortedPlace: "u32" },
  wgsl: ({ first }) => /* wgsl */ `
    fn rowAt(i: u32) -> u32 { return ${first === true ? "min(row[i], u.extent - 1u)" : "row[i]"}; }
    ${FIRST_NOT_BELOW}
    fn run(i: u32) {                                       // one thread per element
      let left = i & ~(2u * u.length - 1u); let right = min(left + u.length, u.n);
      let own = rowAt(i);
      var to = i;
      if (i < right) { to += firstNotBelow(own, right, min(right + u.length, u.n)) - right; }
      else { to += firstNotBelow(own + 1u, left, right) - right; }
      store_sortedRow(to, own);
      store_sortedPlace(to, ${first === true ? "i" : "place[i]"});
    }`,
});

const startKernel = defineKernel({
  name: "gather.start",
  uniforms,
  inputs: { row: "u32" },
  outputs: { start: "u32" },
  wgsl: /* wgsl */ `
    fn rowAt(i: u32) -> u32 { return row[i]; }
    ${FIRST_NOT_BELOW}
    fn run(r: u32) { store_start(r, firstNotBelow(r, 0u, u.n)); }  // one thread per row, and one for the end`,
});

const backward = defineKernel({
  name: "gather.grad",
  uniforms: sliceUniforms,
  inputs: { dy: "f32v", start: "u32", place: "u32" },
  outputs: { dx: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, row, part of the slice)
      let row = i / u.parts; let o = row / u.extent; let r = row - o * u.extent;
      let first = start[r]; let end = start[r + 1u];
      for (var at = i - row * u.parts; at < u.inner; at += u.parts) {
        var sum = f32v();
        for (var k = first; k < end; k++) { sum += dy[(o * u.n + place[k]) * u.inner + at]; }
        store_dx(row * u.inner + at, sum);
      }
    }`,
});

type Sizes = Readonly<Record<keyof typeof sliceUniforms, number>>;

/** Invocations for a result of this shape. */
const optionsFor = (shape: Shape, { inner, parts }: Sizes, width: Width) => ({
  constants: { width },
  threads: (sizeOf(shape) / (inner * width)) * parts,
});

/** Where each row's elements start, `[extent + 1]`, among the places of all elements, sorted by row. */
function sortByRow(index: Tensor, { n, extent }: Sizes): { start: Tensor; place: Tensor } {
  let [row, place] = [index, index];
  for (let length = 1; length === 1 || length < n; length *= 2) {
    const outputs = { sortedRow: [n], sortedPlace: [n] };
    const merged = run(merge, { row, place }, outputs, { n, extent, length }, { constants: { first: length === 1 } });
    [row, place] = [merged.sortedRow, merged.sortedPlace];
  }
  return { place, start: run(startKernel, { row }, { start: [extent + 1] }, { n, extent }).start };
}

/** Indices as a tensor; plain numbers are checked while the CPU still sees them. */
function indexTensor({ device }: Tensor, indices: Tensor | readonly number[], extent: number): Tensor {
  const where = "gather";
  if (indices instanceof Tensor) {
    if (indices.dtype === "u32") return indices;
    throw new DtypeError({ where, expected: "indices as u32", got: indices.dtype });
  }
  const wrong = indices.find((index) => !Number.isInteger(index) || index < 0 || index >= extent);
  if (wrong === undefined) return device.tensor(Uint32Array.from(indices));
  throw new OptionError({ where, expected: `indices from 0 to ${extent - 1}`, got: String(wrong) });
}

/**
 * Slices of `x` along `axis` (default: the first), in the order of `indices`, any number of times. The shape of `indices`
 * takes the place of the axis. A plain index out of range throws `OptionError`; one that only the GPU sees, in a tensor
 * (u32), counts as the last.
 */
export const gather = defineOp("gather", {
  forward(x: Tensor, indices: Tensor | readonly number[], axis: number = 0) {
    const [along] = normaliseAxes("gather", [axis], x.shape.length) as [number];
    const extent = x.shape[along]!;
    const index = indexTensor(x, indices, extent);
    const size = sizeOf(x.shape.slice(along + 1));
    const width: Width = size % 4 === 0 ? 4 : 1;
    const inner = size / width;
    const sizes = { n: index.size, extent, inner, parts: Math.ceil(inner / SHARE) };
    const outShape: Shape = [...x.shape.slice(0, along), ...index.shape, ...x.shape.slice(along + 1)];
    const { y } = run(forward, { x, index }, { y: outShape }, sizes, optionsFor(outShape, sizes, width));
    return { output: y, saved: { index, sizes, width, shape: x.shape } };
  },
  backward(dy, { index, sizes, width, shape }) {
    const inputs = { dy, ...sortByRow(index, sizes) };
    return [run(backward, inputs, { dx: shape }, sizes, optionsFor(shape, sizes, width)).dx, null];
  },
});
