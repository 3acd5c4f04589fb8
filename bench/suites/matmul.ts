/** Matrix products. */
import { cast, matmul, type MatmulOptions } from "../../src/kernels/index.ts";
import { opCase, type Case, type CaseFacts, type Suite } from "../case.ts";

function square(n: number, facts: Partial<CaseFacts>, options: MatmulOptions = {}): Case {
  const { transposeA = false, transposeB = false } = options;
  const marks = `${transposeA ? " Aᵀ·B" : ""}${transposeB ? " A·Bᵀ" : ""}`;
  return opCase({
    name: `matmul ${n}${marks}`,
    flops: 2 * n ** 3,
    goal: "matmul",
    ...facts,
    inputs: [{ shape: [n, n] }, { shape: [n, n], constant: true }],
    trama: (a, b) => matmul(a, b, options),
    tfjs: (tf, a, b) => tf.matMul(a, b, transposeA, transposeB),
    ort: (graph, a, b) => graph.node("Gemm", [a, b], { transA: Number(transposeA), transB: Number(transposeB) }),
    jax: ({ numpy }, a, b) => numpy.matmul(transposeA ? numpy.transpose(a) : a, transposeB ? numpy.transpose(b) : b),
  });
}

/** A fully connected layer as networks have it. */
function dense(rows: number, inputs: number, units: number, facts: Partial<CaseFacts>): Case {
  return opCase({
    name: `dense ${rows}×${inputs}→${units}, relu`,
    flops: 2 * rows * inputs * units,
    ...facts,
    inputs: [{ shape: [rows, inputs] }, { shape: [inputs, units], constant: true }, { shape: [units], constant: true }],
    trama: (x, kernel, bias) => matmul(x, kernel, { bias, activation: "relu" }),
    tfjs: (tf, x, kernel, bias) => tf.fused.matMul({ a: x, b: kernel, bias, activation: "relu" }),
    ort: (graph, x, kernel, bias) => graph.node("Relu", [graph.node("Gemm", [x, kernel, bias])]),
    jax: ({ numpy, nn }, x, kernel, bias) => nn.relu(numpy.add(numpy.matmul(x, kernel), bias)),
  });
}

/** In half precision, from f32 on the way in. */
function half(n: number, facts: Partial<CaseFacts>): Case {
  return opCase({
    name: `matmul ${n}, f16`,
    flops: 2 * n ** 3,
    needs: "shader-f16",
    tolerance: 1e-2,
    ...facts,
    inputs: [{ shape: [n, n] }, { shape: [n, n] }],
    trama: (a, b) => matmul(cast(a, "f16"), cast(b, "f16")),
    jax: ({ numpy }, a, b) =>
      numpy.matmul(numpy.astype(a, numpy.float16), numpy.astype(b, numpy.float16)).astype(numpy.float32),
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
    half(512, { when: "full" }),
    dense(128, 1600, 128, {}),
    dense(1, 1024, 1024, { when: "full" }),
    square(2048, { when: "gpu" }),
    square(4096, { when: "gpu", goal: "largeMatmul" }),
    half(4096, { when: "gpu", goal: "largeHalfMatmul" }),
  ],
};
