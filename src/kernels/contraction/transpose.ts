/**
 * Transposes each of a row of matrices: t[c, j, i] = x[c, i, j].
 *
 * One invocation moves four by four elements: four loads and four stores of four lanes instead of sixteen of one.
 */
import { defineKernel, run, type Tensor } from "../../tensor/index.ts";

const kernel = defineKernel({
  name: "contraction.transpose",
  inputs: { x: "f32v" },
  outputs: { t: "realv" },
  uniforms: { rows: "u32", columns: "u32" },
  wgsl: /* wgsl */ `
    fn run(block: u32) {                                   // one thread per block of 4 × 4; rows and columns in fours
      let matrix = block / (u.rows * u.columns); let within = block - matrix * u.rows * u.columns;
      let i = within / u.columns; let j = within - i * u.columns;
      let start = matrix * u.rows * u.columns * 4u;
      let read = start + i * 4u * u.columns + j;
      let b = transpose(mat4x4f(x[read], x[read + u.columns], x[read + 2u * u.columns], x[read + 3u * u.columns]));
      let write = start + j * 4u * u.rows + i;
      store_t(write, b[0]);
      store_t(write + u.rows, b[1]);
      store_t(write + 2u * u.rows, b[2]);
      store_t(write + 3u * u.rows, b[3]);
    }`,
});

/** `[…, rows, columns]` → `[…, columns, rows]`; rows and columns must be multiples of four. */
export function transposeMatrices(where: string, x: Tensor, rows: number, columns: number): Tensor {
  const options = { where, constants: { width: 4 }, threads: x.size / 16 };
  const shape = [x.size / (rows * columns), columns, rows];
  return run(kernel, { x }, { t: shape }, { rows: rows / 4, columns: columns / 4 }, options).t;
}
