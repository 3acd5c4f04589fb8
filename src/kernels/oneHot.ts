/** One-hot rows: y[i, k] = on where k = index[i], off elsewhere. Not differentiable: indices have no gradient. */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, type Tensor } from "../tensor/index.ts";
import { classesAt } from "./rowLayout.ts";

const kernel = defineKernel({
  name: "oneHot",
  inputs: { index: "u32" },
  outputs: { y: "f32v" },
  uniforms: { depth: "u32", on: "f32", off: "f32" },
  wgsl: (constants) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per output element (of four)
      let row = i / u.depth; let at = i - row * u.depth;
      store_y(i, select(f32v(u.off), f32v(u.on), u32v(index[row]) == ${classesAt("at", constants)}));
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
    const width = depth % 4 === 0 ? 4 : 1;
    const sizes = { depth: depth / width, on, off };
    const { y } = run(kernel, { index: indices }, { y: [...indices.shape, depth] }, sizes, { constants: { width } });
    return { output: y, saved: null };
  },
  backward: "not differentiable",
});
