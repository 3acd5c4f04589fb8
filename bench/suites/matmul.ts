/** Matrix products. */
import { matmul, type MatmulOptions } from "../../src/kernels/index.ts";
import { opCase, type CaseFacts, type Suite } from "../case.ts";

function square(n: number, facts: Partial<CaseFacts>, options: MatmulOptions = {}) {
  const { transposeA = false, transposeB = false } = options;
  const marks = `${transposeA ? " Aᵀ·B" : ""}${transposeB ? " A·Bᵀ" : ""}`;
  return opCase({
    name: `matmul ${n}${marks}`,
    flops: 2 * n ** 3,
    goal: "matmul",
    ...facts,
    inputs: [{ shape: [n, n] }, { shape: [n, n] }],
    op: (a, b) => matmul(a, b, options),
    peer: (tf, a, b) => tf.matMul(a, b, transposeA, transposeB),
  });
}

export const matmulSuite: Suite = {
  name: "matmul",
  cases: [
    square(256, {}),
    square(512, {}),
    square(512, {}, { transposeB: true }),
    square(1024, { when: "full" }),
    square(1024, { when: "full" }, { transposeA: true }),
    square(2048, { when: "gpu" }),
    square(4096, { when: "gpu", goal: "largeMatmul" }),
  ],
};
