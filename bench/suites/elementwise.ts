/** Element-wise work and sums: bound by memory. */
import { add, relu, sum } from "../../src/kernels/index.ts";
import type { Shape } from "../../src/tensor/index.ts";
import { bytesOf, opCase, type CaseFacts, type Suite } from "../case.ts";

function cases(shape: Shape, facts: Partial<CaseFacts>) {
  const label = shape.join("×");
  const columns = shape.at(-1)!;
  return [
    opCase({
      name: `relu ${label}`,
      bytes: bytesOf(shape, shape),
      ...facts,
      inputs: [{ shape }],
      op: (x) => relu(x),
      peer: (tf, x) => tf.relu(x),
    }),
    opCase({
      name: `add bias ${label}`,
      bytes: bytesOf(shape, [columns], shape),
      ...facts,
      inputs: [{ shape }, { shape: [columns] }],
      op: (x, bias) => add(x, bias),
      peer: (tf, x, bias) => tf.add(x, bias),
    }),
    opCase({
      name: `sum of ${label}`,
      bytes: bytesOf(shape),
      ...facts,
      inputs: [{ shape }],
      // Terms of both signs all but cancel: the engines' orders of adding show.
      tolerance: 1e-2,
      op: (x) => sum(x),
      peer: (tf, x) => tf.sum(x),
    }),
  ];
}

export const elementwiseSuite: Suite = {
  name: "element-wise",
  cases: [...cases([32, 28, 28, 64], {}), ...cases([64, 112, 112, 64], { goal: "largeLight", when: "gpu" })],
};
