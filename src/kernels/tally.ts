/**
 * Running totals on the GPU: loss, hits and rows of all batches since the totals were last cleared. The CPU reads three
 * numbers when someone wants to see them, not one a step.
 */
import { defineKernel, run, type Tensor } from "../tensor/index.ts";
import { checkLabels } from "./softmaxCrossEntropy.ts";

const hitKernel = defineKernel({
  name: "hits",
  uniforms: { k: "u32" },
  inputs: { z: "f32", label: "u32" },
  outputs: { hit: "f32" },
  wgsl: /* wgsl */ `
    fn run(r: u32) {                                       // one thread per row; the first greatest logit wins
      let start = r * u.k;
      var best = start;
      for (var at = start + 1u; at < start + u.k; at++) { if (z[at] > z[best]) { best = at; } }
      store_hit(r, select(0.0, 1.0, best == start + label[r]));
    }`,
});

const tallyKernel = defineKernel({
  name: "tally",
  uniforms: { rows: "u32" },
  inputs: { loss: "f32", hit: "f32" },
  updates: { totals: "f32" },
  workgroup: 1,
  wgsl: /* wgsl */ `
    fn run(i: u32) {
      var hits = 0.0;
      for (var r = 0u; r < u.rows; r++) { hits += hit[r]; }
      totals[0] += loss[0] * f32(u.rows);
      totals[1] += hits;
      totals[2] += f32(u.rows);
    }`,
});

/** Adds a batch to `totals`, `[3]`: sum of row losses, number of hits, number of rows. `loss` is the batch's mean. */
export function tally(totals: Tensor, loss: Tensor, logits: Tensor, labels: Tensor): void {
  checkLabels("tally", logits, labels);
  const [rows = 0, k = 0] = logits.shape;
  const { hit } = run(hitKernel, { z: logits, label: labels }, { hit: [rows] }, { k });
  run(tallyKernel, { loss, hit }, {}, { rows }, { updates: [totals], threads: 1 });
}

const advanceKernel = defineKernel({
  name: "advance",
  updates: { counter: "u32" },
  workgroup: 1,
  wgsl: /* wgsl */ `fn run(i: u32) { counter[0] += 1u; }`,
});

/** Adds one to a counter `[1]`, u32. */
export function advance(counter: Tensor): void {
  run(advanceKernel, {}, {}, {}, { updates: [counter], threads: 1 });
}
