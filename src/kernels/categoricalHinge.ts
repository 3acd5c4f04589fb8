/**
 * Hinge loss of several classes (Crammer and Singer 2001): the true class must lead every other by 1.
 *
 *   ℓ = max(0, 1 + max over k ≠ label of x[k] − x[label])        dx[k] = dy at the strongest other, −dy at the label
 *
 * Keras' loss of this name lets a 0, in the true class's place, take part in the inner maximum; here only others do.
 */
import { ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, type Tensor } from "../tensor/index.ts";
import { reduceLosses, type LossOptions } from "./lossReduction.ts";
import { checkLabels } from "./softmaxCrossEntropy.ts";

const forward = defineKernel({
  name: "categoricalHinge",
  uniforms: { k: "u32" },
  inputs: { x: "f32", label: "u32" },
  outputs: { loss: "f32", rival: "u32" },
  wgsl: /* wgsl */ `
    fn run(r: u32) {                                       // one thread per row; of equal rivals the first
      let begin = r * u.k; let own = begin + label[r];
      var strongest = begin + select(0u, 1u, own == begin);
      for (var at = strongest + 1u; at < begin + u.k; at++) {
        if (at != own && x[at] > x[strongest]) { strongest = at; }
      }
      store_loss(r, max(0.0, 1.0 + x[strongest] - x[own]));
      store_rival(r, strongest);
    }`,
  flops: (threads, { k }) => threads * k,
});

const backward = defineKernel({
  name: "categoricalHinge.grad",
  uniforms: { k: "u32" },
  inputs: { x: "f32", label: "u32", rival: "u32", loss: "f32", dy: "f32" },
  outputs: { dx: "real" },
  wgsl: /* wgsl */ `
    fn run(r: u32) {                                       // one thread per row
      let begin = r * u.k; let own = begin + label[r];
      let slope = select(0.0, dy[r], loss[r] > 0.0);
      for (var at = begin; at < begin + u.k; at++) {
        store_dx(at, select(select(0.0, slope, at == rival[r]), -slope, at == own));
      }
    }`,
});

const rows = defineOp("categoricalHinge", {
  forward(scores: Tensor, labels: Tensor) {
    checkLabels("categoricalHinge", scores, labels);
    const [batch = 0, k = 0] = scores.shape;
    if (k < 2) {
      throw new ShapeError({
        where: "categoricalHinge",
        expected: "scores of at least two classes",
        got: formatShape(scores.shape),
      });
    }
    const { loss, rival } = run(forward, { x: scores, label: labels }, { loss: [batch], rival: [batch] }, { k });
    return { output: loss, saved: { x: scores, label: labels, rival, loss, k } };
  },
  backward(dy, { k, ...saved }) {
    const threads = dy.size;
    return [run(backward, { ...saved, dy }, { dx: saved.x.shape }, { k }, { threads }).dx, null];
  },
});

/** Multi-class hinge loss of scores `[batch, classes]` against labels `[batch]` (u32). */
export function categoricalHinge(scores: Tensor, labels: Tensor, options: Omit<LossOptions, "mask"> = {}): Tensor {
  return reduceLosses("categoricalHinge", labels.shape, options, () => rows(scores, labels));
}
