/** One-hot rows: y[i, k] = on where k = index[i], off elsewhere. Not differentiable: indices have no gradient. */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, type Tensor } from "../tensor/index.ts";

const kernel = defineKernel({
  name: "oneHot",
  inputs: { index: "u32" },
  outputs: { y: "f32" },
  uniforms: { depth: "u32", on: "f32", off: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element
      let row = i / u.depth;
      store_y(i, select(u.off, u.on, index[row] == i - row * u.depth));
    }`,
});

export interface OneHotOptions {
  /** Default: 1. */
  readonly on?: number;
  /** Default: 0. */
  readonly off?: number;
}

/** Indices (u32, of any shape) → `[…, depth]`, f32. An index of `depth` or more gives a row of `off`. */
export const oneHot = defineOp("oneHot", {
  forward(indices: Tensor, depth: number, { on = 1, off = 0 }: OneHotOptions = {}) {
    const where = "oneHot";
    if (!Number.isInteger(depth) || depth < 1) {
      throw new OptionError({ where, expected: "a positive whole depth", got: String(depth) });
    }
    const { y } = run(kernel, { index: indices }, { y: [...indices.shape, depth] }, { depth, on, off });
    return { output: y, saved: null };
  },
  backward: "not differentiable",
});
