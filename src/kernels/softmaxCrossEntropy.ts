/**
 * Softmax cross entropy with sparse labels, fused: neither probabilities nor one-hot labels are stored.
 *
 *   loss = −1/B Σᵣ ln softmax(z[r])[label[r]]          dz[r,k] = (softmax(z[r])[k] − [k = label[r]]) · dy / B
 *
 * One invocation per row computes the row's loss and, when a gradient is wanted, dz for a loss gradient of 1, which the
 * backward pass only scales.
 */
import { DtypeError, ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, runMap, type MapFunction, type Tensor } from "../tensor/index.ts";
import { mean } from "./reduce.ts";

const kernel = defineKernel({
  name: "softmaxCrossEntropy",
  uniforms: { k: "u32", scale: "f32" },
  inputs: { z: "f32", label: "u32" },
  outputs: { loss: "f32", dz: "f32" },
  wgsl: ({ gradient }) => /* wgsl */ `
    fn run(r: u32) {                                       // one thread per row
      let start = r * u.k; let end = start + u.k; let target_ = start + label[r];
      var m = z[start];
      for (var at = start; at < end; at++) { m = max(m, z[at]); }
      var sum = 0.0;
      for (var at = start; at < end; at++) { sum += exp(z[at] - m); }
      store_loss(r, m - z[target_] + log(sum)); // the difference first: large logits keep their precision
      ${
        gradient === true
          ? "for (var at = start; at < end; at++) { store_dz(at, (exp(z[at] - m) / sum - select(0.0, 1.0, at == target_)) * u.scale); }"
          : ""
      }
    }`,
  flops: (threads, u) => threads * u.k * 6,
});

const SCALE: MapFunction = { name: "scale", parameters: ["x", "factor"], body: "x * factor" };

/** Throws unless `logits` is `[batch, classes]` and `labels` holds `[batch]` class numbers. */
export function checkLabels(where: string, logits: Tensor, labels: Tensor): void {
  if (logits.shape.length !== 2 || labels.shape.length !== 1 || labels.size !== logits.shape[0]) {
    throw new ShapeError({
      where,
      expected: "logits [batch, classes] and labels [batch]",
      got: `${formatShape(logits.shape)} and ${formatShape(labels.shape)}`,
    });
  }
  if (labels.dtype !== "u32") {
    throw new DtypeError({ where, expected: "labels as u32 class numbers", got: labels.dtype });
  }
}

/** Mean softmax cross entropy of logits `[batch, classes]` against labels `[batch]` (u32, each below `classes`). */
export const softmaxCrossEntropy = defineOp("softmaxCrossEntropy", {
  forward(logits: Tensor, labels: Tensor) {
    checkLabels("softmaxCrossEntropy", logits, labels);
    const [batch = 0, k = 0] = logits.shape;
    const gradient = logits.device.tape?.tracks(logits) ?? false;
    const outputs = { loss: [batch], dz: gradient ? logits.shape : [1] };
    const options = { threads: batch, constants: { gradient } };
    const { loss, dz } = run(kernel, { z: logits, label: labels }, outputs, { k, scale: 1 / batch }, options);
    return { output: mean(loss), saved: dz };
  },
  backward: (dy, dz) => [runMap(SCALE, [dz, dy], dz.shape), null],
});
