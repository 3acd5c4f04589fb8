/**
 * Softmax cross entropy, fused: neither probabilities nor one-hot labels are stored.
 *
 *   q[k] = (1 − ε)·t[k] + ε/K                        t: the row's targets, one-hot where it has a class number
 *   row  = w · −Σ q[k]·ln softmax(z)[k]              w: sample weight · Σ t[k]·class weight[k]
 *   dz[k] = w · (softmax(z)[k]·Σ q − q[k]) · dy
 *
 * The loss is Σ row over the number of rows (Keras) or over Σ w (PyTorch). Forward keeps four numbers a row, from which
 * backward finds the probabilities again: that costs less than a stored gradient, and dz takes the precision of the logits
 * only once it is scaled by dy.
 *
 * As in softmax.ts, one invocation walks a row of few classes, and one workgroup a row of many. A small batch of few
 * classes is summed up on the spot, by one workgroup.
 */
import { DtypeError, ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, type Constants, type Tensor } from "../tensor/index.ts";
import { checkReduction, checkTargets, checkWeights, type LossReduction } from "./lossReduction.ts";
import { checkNumber, range } from "./ranges.ts";
import { classesAt, laneSum, rowLayout, TOTAL_LANES, type RowLayout } from "./rowLayout.ts";
import { acrossLanes } from "./wgslText.ts";

export interface CrossEntropyOptions {
  /** ε: this share of each target is spread over all classes (Szegedy et al. 2016, section 7). Default: 0. */
  readonly labelSmoothing?: number;
  /** `[classes]`: what a row of each class weighs; a row of mixed targets weighs their mean. Default: 1. */
  readonly classWeights?: Tensor;
  /** `[batch]`: what each row weighs. Default: 1. */
  readonly sampleWeights?: Tensor;
  /** Default: `mean`. */
  readonly reduction?: LossReduction;
}

const sizes = { k: "u32", rows: "u32", keep: "f32", spread: "f32", scale: "f32" } as const;

const laneMaximum = (v: string, { width }: Constants) =>
  width === 4 ? `max(max(${v}.x, ${v}.y), max(${v}.z, ${v}.w))` : v;
const labelText = ({ dense }: Constants) => (dense === true ? "" : "let label = u32v(goal[r]);");

/** t at `at`, in row r. */
function targetText(constants: Constants): string {
  if (constants["dense"] === true) return "goal[at]";
  return `select(f32v(), f32v(1.0), ${classesAt("(at - begin)", constants)} == label)`;
}

/** Weighted loss and weight of a row, which `lanes` lanes walk together. A class without target adds nothing, even at z = −∞. */
function rowText(constants: Constants): string {
  const { classWeights, sampleWeights, lanes } = constants as {
    classWeights: boolean;
    sampleWeights: boolean;
    lanes: number;
  };
  const together = (join: (a: string, b: string) => string) => (lanes > 1 ? acrossLanes(lanes, join) : "");
  return /* wgsl */ `
    ${lanes > 1 ? `var<workgroup> partial: array<vec4f, ${lanes}>;` : ""}
    fn rowLoss(r: u32, lane: u32) -> vec2f {
      let begin = r * u.k; let end = begin + u.k;
      var m = z[min(begin + lane, end - 1u)];
      for (var at = begin + lane; at < end; at += ${lanes}u) { m = max(m, z[at]); }
      var value = vec4f(${laneMaximum("m", constants)});
      ${together((a, b) => `max(${a}, ${b})`)}
      let greatest = value.x;
      ${labelText(constants)}
      var sum = f32v(); var below = f32v(); var mass = f32v(); var weights = f32v();
      for (var at = begin + lane; at < end; at += ${lanes}u) {
        let distance = greatest - z[at];                   // the difference first: large logits keep their precision
        let t = ${targetText(constants)};
        let q = u.keep * t + u.spread;
        sum += exp(-distance);
        below += select(f32v(), q * distance, q > f32v());
        mass += q;
        ${classWeights ? "weights += t * classWeight[at - begin];" : ""}
      }
      value = vec4f(${["sum", "below", "mass", "weights"].map((v) => laneSum(v, constants)).join(", ")});
      ${together((a, b) => `${a} + ${b}`)}
      let weight = ${sampleWeights ? "sampleWeight[r]" : "1.0"}${classWeights ? " * value.w" : ""};
      let logSum = log(value.x);
      if (lane == 0u) {
        store_stat(4u * r, greatest); store_stat(4u * r + 1u, logSum);
        store_stat(4u * r + 2u, weight); store_stat(4u * r + 3u, value.z);
      }
      return weight * vec2f(value.y + value.z * logSum, 1.0);
    }`;
}

/** The workgroup that sums up: each lane adds its rows' `term`, losses and weights. */
const totalText = (term: string, { weighted }: Constants) => /* wgsl */ `
    var<workgroup> partial: array<vec2f, ${TOTAL_LANES}>;
    fn run(group: vec3u, lane: u32) {
      var value = vec2f();
      for (var r = lane; r < u.rows; r += ${TOTAL_LANES}u) { value += ${term}; }
      ${acrossLanes(TOTAL_LANES, (a, b) => `${a} + ${b}`)}
      if (lane == 0u) {
        store_loss(0u, ${weighted === true ? "value.x / value.y" : "value.x * u.scale"});
        store_weight(0u, value.y);
      }
    }`;

const entries: Readonly<Record<RowLayout["form"], (constants: Constants) => string>> = {
  rows: () => "fn run(r: u32) { store_loss(r, rowLoss(r, 0u).x); }",
  wide: () => `
    fn run(group: vec3u, lane: u32) {
      let loss = rowLoss(group.x, lane).x;
      if (lane == 0u) { store_loss(group.x, loss); }
    }`,
  whole: (constants) => totalText("rowLoss(r, 0u)", constants),
};

/** `weights` are the optional inputs. */
const lossKernel = ({ form, constants }: RowLayout, weights: Readonly<Record<string, Tensor>>) =>
  defineKernel<string, string, keyof typeof sizes>({
    name: `softmaxCrossEntropy.${form}`,
    uniforms: sizes,
    inputs: {
      z: "f32v",
      goal: constants["dense"] === true ? "f32v" : "u32",
      ...Object.fromEntries(Object.keys(weights).map((name) => [name, name === "classWeight" ? "f32v" : "f32"])),
    },
    outputs: { loss: "f32", stat: "f32", ...(form === "whole" ? { weight: "f32" } : {}) },
    grid: form === "rows" ? "threads" : "groups",
    workgroup: form === "rows" ? 64 : form === "wide" ? (constants["lanes"] as number) : TOTAL_LANES,
    wgsl: (chosen) => rowText(chosen) + entries[form](chosen),
    flops: (_, u) => u.rows * u.k * 12,
  });

const totalKernel = defineKernel({
  name: "softmaxCrossEntropy.total",
  uniforms: { rows: "u32", scale: "f32" },
  inputs: { row: "f32", stat: "f32" },
  outputs: { loss: "f32", weight: "f32" },
  grid: "groups",
  workgroup: TOTAL_LANES,
  wgsl: (constants) => totalText("vec2f(row[r], stat[4u * r + 2u])", constants),
});

const gradientText = (constants: Constants) => /* wgsl */ `
    fn rowGradient(r: u32, lane: u32) {
      let begin = r * u.k; let end = begin + u.k;
      ${labelText(constants)}
      let greatest = stat[4u * r]; let logSum = stat[4u * r + 1u]; let mass = stat[4u * r + 3u];
      let factor = stat[4u * r + 2u] * dy[${constants["each"] === true ? "r" : "0"}] * u.scale${constants["weighted"] === true ? " / weight[0]" : ""};
      for (var at = begin + lane; at < end; at += ${constants["lanes"] as number}u) {
        let q = u.keep * ${targetText(constants)} + u.spread;
        store_dx(at, (exp(z[at] - greatest - logSum) * mass - q) * factor);
      }
    }`;

const gradientKernel = ({ form, constants }: RowLayout) =>
  defineKernel<string, "dx", keyof typeof sizes>({
    name: `softmaxCrossEntropy.grad${form === "wide" ? ".wide" : ""}`,
    uniforms: sizes,
    inputs: {
      z: "f32v",
      goal: constants["dense"] === true ? "f32v" : "u32",
      stat: "f32",
      dy: "f32",
      ...(constants["weighted"] === true ? { weight: "f32" } : {}),
    },
    outputs: { dx: "realv" },
    grid: form === "wide" ? "groups" : "threads",
    workgroup: form === "wide" ? (constants["lanes"] as number) : 64,
    wgsl: (chosen) =>
      gradientText(chosen) +
      (form === "wide"
        ? "fn run(group: vec3u, lane: u32) { rowGradient(group.x, lane); }"
        : "fn run(r: u32) { rowGradient(r, 0u); }"),
    flops: (_, u) => u.rows * u.k * 8,
  });

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

const NAME = "softmaxCrossEntropy";

/**
 * Softmax cross entropy of logits `[batch, classes]` against labels `[batch]` (u32, each below `classes`) or target
 * distributions `[batch, classes]`: a scalar, or `[batch]` where it is not reduced. Labels and weights get no gradient.
 *
 * Several losses are weighed and added with `mul` and `add`: `add(mul(first, device.constant(0.3)), second)`.
 */
export const softmaxCrossEntropy = defineOp(NAME, {
  forward(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}) {
    const { labelSmoothing = 0, classWeights, sampleWeights, reduction = "mean" } = options;
    const dense = labels.shape.length === 2;
    if (dense) checkTargets(NAME, logits, labels);
    else checkLabels(NAME, logits, labels);
    const [rows = 0, k = 0] = logits.shape;
    checkNumber(NAME, "labelSmoothing", range.share, labelSmoothing);
    checkWeights(NAME, "class weights", classWeights, k);
    checkWeights(NAME, "sample weights", sampleWeights, rows);
    checkReduction(NAME, reduction);
    const flags = {
      dense,
      classWeights: classWeights !== undefined,
      sampleWeights: sampleWeights !== undefined,
      weighted: reduction === "weightedMean",
      each: reduction === "none",
    };
    const layout = rowLayout(logits, flags, reduction !== "none");
    const { form, constants, grid } = layout;
    const weights = {
      ...(classWeights ? { classWeight: classWeights } : {}),
      ...(sampleWeights ? { sampleWeight: sampleWeights } : {}),
    };
    const uniforms = {
      k: constants["width"] === 4 ? k / 4 : k,
      rows,
      keep: 1 - labelSmoothing,
      spread: labelSmoothing / k,
      scale: reduction === "mean" ? 1 / rows : 1,
    };
    const whole = form === "whole";
    const outputs = { loss: whole ? [] : [rows], stat: [rows, 4], ...(whole ? { weight: [1] } : {}) };
    const inputs = { z: logits, goal: labels, ...weights };
    const made = run(lossKernel(layout, weights), inputs, outputs, uniforms, { constants, ...grid, where: NAME });
    const { loss, stat } = made;
    const saved = { logits, labels, stat: stat!, uniforms, layout };
    if (reduction === "none") return { output: loss!, saved: { ...saved, weight: null } };
    const { loss: output, weight } = whole
      ? made
      : run(
          totalKernel,
          { row: loss!, stat: stat! },
          { loss: [], weight: [1] },
          { rows, scale: uniforms.scale },
          { constants: { weighted: flags.weighted }, groups: [1, 1, 1] },
        );
    return { output: output, saved: { ...saved, weight: flags.weighted ? weight : null } };
  },
  backward(dy, { logits, labels, stat, uniforms, layout, weight }) {
    const inputs = { z: logits, goal: labels, stat, dy, ...(weight ? { weight } : {}) };
    const grid = layout.form === "wide" ? layout.grid : { threads: uniforms.rows };
    const options = { constants: layout.constants, ...grid };
    return [run(gradientKernel(layout), inputs, { dx: logits.shape }, uniforms, options).dx, null];
  },
});
