/**
 * Running totals on the GPU: loss, hits and rows of all batches since the totals were last cleared. The CPU reads three
 * numbers when someone wants to see them, not one a step.
 *
 * A row is a hit if no class comes before its label: none is greater, and of equal ones none is earlier. Rows are walked as
 * in softmaxCrossEntropy.ts: a small batch of few classes is one dispatch in all.
 */
import { defineKernel, run, type Constants, type Tensor } from "../tensor/index.ts";
import { argMax } from "./extremum.ts";
import { checkTargets } from "./lossReduction.ts";
import { classesAt, laneSum, rowLayout, TOTAL_LANES } from "./rowLayout.ts";
import { checkLabels } from "./softmaxCrossEntropy.ts";
import { acrossLanes } from "./wgslText.ts";

const lanesOf = ({ lanes }: Constants) => lanes as number;

/** 1 for a hit, else 0, of a row that `lanes` lanes walk together. NaN hits nothing. */
function hitText(constants: Constants): string {
  const lanes = lanesOf(constants);
  const own = constants["width"] === 4 ? "z[begin + label[r] / 4u][label[r] % 4u]" : "z[begin + label[r]]";
  return /* wgsl */ `
    ${lanes > 1 ? `var<workgroup> partial: array<f32, ${lanes}>;` : ""}
    fn hitOf(r: u32, lane: u32) -> f32 {
      let begin = r * u.k; let own = f32v(${own}); let place = u32v(label[r]);
      var before = f32v();                                 // classes that come before the label
      for (var k = lane; k < u.k; k += ${lanes}u) {
        let other = z[begin + k];
        before += select(f32v(1.0), f32v(), (own > other) | ((own == other) & (${classesAt("k", constants)} >= place)));
      }
      var value = ${laneSum("before", constants)};
      ${lanes > 1 ? acrossLanes(lanes, (a, b) => `${a} + ${b}`) : ""}
      return select(0.0, 1.0, value == 0.0);
    }`;
}

/** The workgroup that sums up: each lane adds the hits of its rows. */
const totalText = (hit: string) => /* wgsl */ `
    var<workgroup> partial: array<f32, ${TOTAL_LANES}>;
    fn run(group: vec3u, lane: u32) {
      var value = 0.0;
      for (var r = lane; r < u.rows; r += ${TOTAL_LANES}u) { value += ${hit}; }
      ${acrossLanes(TOTAL_LANES, (a, b) => `${a} + ${b}`)}
      if (lane == 0u) {
        totals[0] += loss[0] * f32(u.rows);
        totals[1] += value;
        totals[2] += f32(u.rows);
      }
    }`;

const wholeKernel = defineKernel({
  name: "tally",
  uniforms: { k: "u32", rows: "u32" },
  inputs: { loss: "f32", z: "f32v", label: "u32" },
  updates: { totals: "f32" },
  grid: "groups",
  workgroup: TOTAL_LANES,
  wgsl: (constants) => hitText(constants) + totalText("hitOf(r, 0u)"),
});

const hitKernel = defineKernel({
  name: "tally.hits",
  uniforms: { k: "u32" },
  inputs: { z: "f32v", label: "u32" },
  outputs: { hit: "f32" },
  wgsl: (constants) => `${hitText(constants)} fn run(r: u32) { store_hit(r, hitOf(r, 0u)); }`,
});

const wideHitKernel = defineKernel({
  name: "tally.hits.wide",
  uniforms: { k: "u32" },
  inputs: { z: "f32v", label: "u32" },
  outputs: { hit: "f32" },
  grid: "groups",
  workgroup: lanesOf,
  wgsl: (constants) => /* wgsl */ `${hitText(constants)}
    fn run(group: vec3u, lane: u32) {
      let hit = hitOf(group.x, lane);
      if (lane == 0u) { store_hit(group.x, hit); }
    }`,
});

const totalKernel = defineKernel({
  name: "tally.total",
  uniforms: { rows: "u32" },
  inputs: { loss: "f32", hit: "f32" },
  updates: { totals: "f32" },
  grid: "groups",
  workgroup: TOTAL_LANES,
  wgsl: totalText("hit[r]"),
});

/**
 * Adds a batch to `totals`, `[3]`: sum of row losses, number of hits, number of rows. `loss` is the batch's mean. Labels are
 * class numbers `[batch]`, or distributions `[batch, classes]`, whose greatest target is then the class.
 */
export function tally(totals: Tensor, loss: Tensor, logits: Tensor, labels: Tensor): void {
  if (labels.shape.length === 2) checkTargets("tally", logits, labels);
  const label = labels.shape.length === 2 ? argMax(labels) : labels;
  checkLabels("tally", logits, label);
  const [rows = 0, classes = 0] = logits.shape;
  const { form, constants, grid } = rowLayout(logits, {}, true);
  const k = constants["width"] === 4 ? classes / 4 : classes;
  const updates = [totals];
  if (form === "whole") {
    run(wholeKernel, { loss, z: logits, label }, {}, { k, rows }, { constants, updates, ...grid });
    return;
  }
  const kernel = form === "wide" ? wideHitKernel : hitKernel;
  const { hit } = run(kernel, { z: logits, label }, { hit: [rows] }, { k }, { constants, ...grid });
  run(totalKernel, { loss, hit }, {}, { rows }, { updates, groups: [1, 1, 1] });
}

/** Adds one to each counter `[1]`, u32, in one dispatch. */
export function advance(...counters: readonly Tensor[]): void {
  const names = counters.map((_, index) => `counter${index}`);
  const kernel = defineKernel({
    name: "advance",
    updates: Object.fromEntries(names.map((name) => [name, "u32"])),
    workgroup: 1,
    wgsl: `fn run(i: u32) { ${names.map((name) => `${name}[0] += 1u;`).join(" ")} }`,
  });
  run(kernel, {}, {}, {}, { constants: { counters: counters.length }, updates: counters, threads: 1 });
}
