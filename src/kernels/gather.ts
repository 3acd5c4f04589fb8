/**
 * Gather: slices along one axis, picked by index.
 *
 *   y[o, j, i] = x[o, index[j], i]          dx[o, r, i] = Σ dy[o, j, i] over all j with index[j] = r
 *
 * WGSL has no float atomics, so the gradient gathers in its turn: first each row finds the first j that names it, and each
 * j the next one that names the same row (a chain, made of integers alone and independent of o and i); then every element
 * of dx adds up along the chain of its row, in the order of j.
 */
import { DtypeError, OptionError } from "../errors.ts";
import { defineKernel, defineOp, normaliseAxes, run, sizeOf, Tensor, type Shape } from "../tensor/index.ts";

const uniforms = { n: "u32", extent: "u32", inner: "u32" } as const;

const forward = defineKernel({
  name: "gather",
  uniforms,
  inputs: { x: "f32v", index: "u32" },
  outputs: { y: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element (of four)
      let row = i / u.inner; let o = row / u.n;
      let r = min(index[row - o * u.n], u.extent - 1u);
      store_y(i, x[(o * u.extent + r) * u.inner + i - row * u.inner]);
    }`,
});

/** Nodes 0 … extent − 1 are rows, the others indices; a node's link is the next j of its row, or n at the end. */
const chain = defineKernel({
  name: "gather.chain",
  uniforms,
  inputs: { index: "u32" },
  outputs: { link: "u32" },
  wgsl: /* wgsl */ `
    fn run(node: u32) {                                    // one thread per row, and per index
      var j = 0u; var r = node;
      if (node >= u.extent) { j = node - u.extent; r = min(index[j], u.extent - 1u); j++; }
      for (; j < u.n; j++) { if (min(index[j], u.extent - 1u) == r) { break; } }
      store_link(node, j);
    }`,
});

const backward = defineKernel({
  name: "gather.grad",
  uniforms,
  inputs: { dy: "f32v", link: "u32" },
  outputs: { dx: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per input element (of four)
      let row = i / u.inner; let o = row / u.extent; let column = i - row * u.inner;
      var sum = f32v();
      for (var j = link[row - o * u.extent]; j < u.n; j = link[u.extent + j]) {
        sum += dy[(o * u.n + j) * u.inner + column];
      }
      store_dx(i, sum);
    }`,
});

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
    const inner = sizeOf(x.shape.slice(along + 1));
    const width = inner % 4 === 0 ? 4 : 1;
    const sizes = { n: index.size, extent, inner: inner / width };
    const outShape: Shape = [...x.shape.slice(0, along), ...index.shape, ...x.shape.slice(along + 1)];
    const { y } = run(forward, { x, index }, { y: outShape }, sizes, { constants: { width } });
    return { output: y, saved: { index, sizes, width, shape: x.shape } };
  },
  backward(dy, { index, sizes, width, shape }) {
    const { link } = run(chain, { index }, { link: [sizes.extent + sizes.n] }, sizes);
    return [run(backward, { dy, link }, { dx: shape }, sizes, { constants: { width } }).dx, null];
  },
});
