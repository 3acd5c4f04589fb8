/**
 * Softmax and its logarithm along one axis.
 *
 *   y[k] = exp(x[k] − m) / Σ exp(x[j] − m),   m = max x        dx = y · (dy − Σ dy·y)
 *   log y[k] = x[k] − m − ln Σ exp(x[j] − m)                   dx = dy − y · Σ dy
 *
 * Subtracting the maximum keeps exp from overflowing. Over few classes, or along an axis that is not the last, one
 * invocation walks one line. A long last axis gets a workgroup, whose lanes keep the whole line in registers: it is loaded
 * once, and each exp is taken once. Where it does not fit, maximum and sum come from one pass: the sum so far is scaled
 * whenever the maximum grows (Milakov and Gimelshein 2018, algorithm 3).
 */
import { defineKernel, defineOp, normaliseAxes, run, sizeOf } from "../tensor/index.ts";
import type { Constants, Device, Tensor, Width } from "../tensor/index.ts";
import { acrossLanes, each } from "./wgslText.ts";

const uniforms = { k: "u32", inner: "u32" } as const;

const forward = defineKernel({
  name: "softmax",
  uniforms,
  inputs: { x: "f32" },
  outputs: { y: "real" },
  wgsl: ({ log }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, inner)
      let start = i / u.inner * u.k * u.inner + i % u.inner;
      let end = start + u.k * u.inner;
      var m = x[start];
      for (var at = start; at < end; at += u.inner) { m = max(m, x[at]); }
      var sum = 0.0;
      for (var at = start; at < end; at += u.inner) { sum += exp(x[at] - m); }
      ${log === true ? "let logSum = log(sum);" : "let scale = 1.0 / sum;"}
      for (var at = start; at < end; at += u.inner) {
        store_y(at, ${log === true ? "x[at] - m - logSum" : "exp(x[at] - m) * scale"});
      }
    }`,
  flops: (threads, u) => threads * u.k * 4,
});

const backward = defineKernel({
  name: "softmax.grad",
  uniforms,
  inputs: { dy: "f32", y: "f32" },
  outputs: { dx: "real" },
  wgsl: ({ log }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (outer, inner)
      let start = i / u.inner * u.k * u.inner + i % u.inner;
      let end = start + u.k * u.inner;
      var sum = 0.0;
      for (var at = start; at < end; at += u.inner) { sum += dy[at]${log === true ? "" : " * y[at]"}; }
      for (var at = start; at < end; at += u.inner) {
        store_dx(at, ${log === true ? "dy[at] - exp(y[at]) * sum" : "y[at] * (dy[at] - sum)"});
      }
    }`,
  flops: (threads, u) => threads * u.k * 4,
});

/** A line, in vectors of `width`, and who walks it. */
interface Wide extends Constants {
  readonly log: boolean;
  readonly lanes: number;
  readonly width: Width;
  /** Vectors that each lane keeps in registers, the last of which may lie beyond the end; 0 where a line does not fit. */
  readonly held: number;
}

/** Workgroups take line after line, `step` apart. */
const wideUniforms = { k: "u32", lines: "u32", step: "u32" } as const;

const largest = (v: string, { width }: Wide) => (width === 1 ? v : `max(max(${v}.x, ${v}.y), max(${v}.z, ${v}.w))`);
const total = (v: string, { width }: Wide) => (width === 1 ? v : `(${v}.x + ${v}.y + ${v}.z + ${v}.w)`);

/** WGSL that joins the lanes' `value`: through workgroup memory, or by subgroup functions where a workgroup is a subgroup. */
interface Join {
  readonly memory: (wide: Wide) => string;
  readonly max: (wide: Wide) => string;
  readonly sum: (wide: Wide) => string;
}

const byMemory: Join = {
  memory: ({ lanes }) => `var<workgroup> partial: array<f32, ${lanes}>;`,
  max: ({ lanes }) => acrossLanes(lanes, (a, b) => `max(${a}, ${b})`),
  sum: ({ lanes }) => acrossLanes(lanes, (a, b) => `${a} + ${b}`),
};

const bySubgroup: Join = {
  memory: () => "",
  max: () => "value = subgroupMax(value);",
  sum: () => "value = subgroupAdd(value);",
};

/** Index of the s-th vector of a lane; the last one is clamped to the line. */
const place = (s: number, { held, lanes }: Wide) =>
  s < held - 1 ? `first + ${s * lanes}u` : `min(first + ${s * lanes}u, end - 1u)`;

/** Whether a lane's last vector lies on the line. */
const lastIsOnLine = ({ held, lanes }: Wide) => `first + ${(held - 1) * lanes}u < end`;

/** Stores `value(s)` for each vector that the lane keeps. */
function storeHeld(wide: Wide, store: string, value: (s: number) => string): string {
  return each(wide.held, (s) => {
    const statement = `${store}(first + ${s * wide.lanes}u, ${value(s)});`;
    return s < wide.held - 1 ? statement : `if (${lastIsOnLine(wide)}) { ${statement} }`;
  });
}

function heldForward(wide: Wide, join: Join): string {
  const { held, log } = wide;
  const difference = (s: number) => `(v${s} - greatest)`;
  const onLine = (s: number, value: string) =>
    s < held - 1 ? value : `select(f32v(), ${value}, ${lastIsOnLine(wide)})`;
  return /* wgsl */ `
      ${each(held, (s) => `let v${s} = x[${place(s, wide)}];`)}
      var m = v0;
      ${each(held - 1, (s) => `m = max(m, v${s + 1});`)}
      var value = ${largest("m", wide)};
      ${join.max(wide)}
      let greatest = value;
      ${each(held, (s) => `let e${s} = ${onLine(s, `exp${difference(s)}`)};`)}
      let sum = ${each(held, (s) => `e${s}`, " + ")};
      value = ${total("sum", wide)};
      ${join.sum(wide)}
      ${log ? "let logSum = log(value);" : "let scale = 1.0 / value;"}
      ${storeHeld(wide, "store_y", (s) => (log ? `${difference(s)} - logSum` : `e${s} * scale`))}`;
}

/** Vectors that are loaded together while a line streams by. */
const CHUNK = 2;

function streamedForward(wide: Wide, join: Join): string {
  const { lanes, log } = wide;
  const greatest = Array.from({ length: CHUNK }).reduce((m: string, _, s) => `max(${m}, v${s})`, "m");
  return /* wgsl */ `
      var m = x[min(first, end - 1u)]; var sum = f32v();
      for (var at = first; at < end; at += ${CHUNK * lanes}u) {
        ${each(CHUNK, (s) => `let v${s} = x[min(at + ${s * lanes}u, end - 1u)];`)}
        let grown = ${greatest};
        sum *= exp(m - grown);
        ${each(CHUNK, (s) => `sum += select(f32v(), exp(v${s} - grown), at + ${s * lanes}u < end);`)}
        m = grown;
      }
      var value = ${largest("m", wide)};
      ${join.max(wide)}
      let greatest = value;
      sum *= exp(m - greatest);
      value = ${total("sum", wide)};
      ${join.sum(wide)}
      ${log ? "let logSum = log(value);" : "let scale = 1.0 / value;"}
      for (var at = first; at < end; at += ${lanes}u) {
        store_y(at, ${log ? "x[at] - greatest - logSum" : "exp(x[at] - greatest) * scale"});
      }`;
}

function heldBackward(wide: Wide, join: Join): string {
  const { held, log } = wide;
  const term = (s: number) => (log ? `d${s}` : `d${s} * p${s}`);
  const onLine = (s: number) => (s < held - 1 ? term(s) : `select(f32v(), ${term(s)}, ${lastIsOnLine(wide)})`);
  return /* wgsl */ `
      ${each(held, (s) => `let d${s} = dy[${place(s, wide)}]; let p${s} = y[${place(s, wide)}];`)}
      let sum = ${each(held, onLine, " + ")};
      var value = ${total("sum", wide)};
      ${join.sum(wide)}
      ${storeHeld(wide, "store_dx", (s) => (log ? `d${s} - exp(p${s}) * value` : `p${s} * (d${s} - value)`))}`;
}

function streamedBackward(wide: Wide, join: Join): string {
  const { lanes, log } = wide;
  return /* wgsl */ `
      var sum = f32v();
      for (var at = first; at < end; at += ${lanes}u) { sum += dy[at]${log ? "" : " * y[at]"}; }
      var value = ${total("sum", wide)};
      ${join.sum(wide)}
      for (var at = first; at < end; at += ${lanes}u) {
        store_dx(at, ${log ? "dy[at] - exp(y[at]) * value" : "y[at] * (dy[at] - value)"});
      }`;
}

function wideKernels(join: Join, suffix: string) {
  const shared = {
    uniforms: wideUniforms,
    grid: "groups",
    workgroup: ({ lanes }: Constants) => lanes as number,
    enable: join === bySubgroup ? ["subgroups"] : [],
    flops: (_: number, u: Readonly<Record<keyof typeof wideUniforms, number>>, { width }: Constants) =>
      u.lines * u.k * (width as number) * 4,
  } as const;
  const source = (body: (wide: Wide, join: Join) => string) => (constants: Constants) => /* wgsl */ `
    ${join.memory(constants as Wide)}
    fn run(group: vec3u, lane: u32) {                      // one workgroup per line, or for several
      for (var line = group.x; line < u.lines; line += u.step) {
        let start = line * u.k; let end = start + u.k; let first = start + lane;
        ${body(constants as Wide, join)}
      }
    }`;
  return {
    forward: defineKernel({
      ...shared,
      name: `softmax.wide${suffix}`,
      inputs: { x: "f32v" },
      outputs: { y: "realv" },
      wgsl: source((wide) => (wide.held > 0 ? heldForward(wide, join) : streamedForward(wide, join))),
    }),
    backward: defineKernel({
      ...shared,
      name: `softmax.wide${suffix}.grad`,
      inputs: { dy: "f32v", y: "f32v" },
      outputs: { dx: "realv" },
      wgsl: source((wide) => (wide.held > 0 ? heldBackward(wide, join) : streamedBackward(wide, join))),
    }),
  };
}

const families = { tiled: wideKernels(byMemory, ""), subgroup: wideKernels(bySubgroup, ".subgroup") };

/** From here on a line is worth a workgroup of its own. */
const WIDE = 64;

/** Vectors of a line that a lane can keep: beyond, registers spill, and a second load costs no more. */
const HELD = { forward: 8, backward: 4 } as const;

/** Work for every core of a software adapter, which takes as long to launch a workgroup as to walk a short line. */
const SOFTWARE_GROUPS = 128;

/** Lanes of a workgroup: all of a subgroup, or as many as leave each lane a few vectors. */
function lanesFor({ variant, subgroupSize }: Device, vectors: number): number {
  if (variant === "subgroup") return subgroupSize;
  return vectors <= 512 ? 64 : 256;
}

interface Lines {
  readonly count: number;
  readonly k: number;
  readonly inner: number;
}

function linesOf(where: string, shape: Tensor["shape"], axis: number): Lines {
  const [along] = normaliseAxes(where, [axis], shape.length) as [number];
  const k = shape[along]!;
  return { count: sizeOf(shape) / k, k, inner: sizeOf(shape.slice(along + 1)) };
}

/** How many workgroups of which kind walk the lines; null where an invocation walks each. */
function wideOf(device: Device, { count, k, inner }: Lines, log: boolean, direction: "forward" | "backward") {
  if (inner !== 1 || k < WIDE) return null;
  const width: Width = k % 4 === 0 ? 4 : 1;
  const vectors = k / width;
  const lanes = lanesFor(device, vectors);
  const needed = Math.ceil(vectors / lanes);
  const held = width === 4 && needed <= HELD[direction] ? needed : 0;
  const step = Math.min(
    count,
    device.isSoftware ? SOFTWARE_GROUPS : device.gpu.limits.maxComputeWorkgroupsPerDimension,
  );
  return {
    kernels: families[device.variant === "subgroup" ? "subgroup" : "tiled"],
    sizes: { k: vectors, lines: count, step },
    settings: { constants: { log, lanes, width, held }, groups: [step, 1, 1] as const },
  };
}

function define(name: string, log: boolean): (x: Tensor, axis?: number) => Tensor {
  return defineOp(name, {
    forward(x: Tensor, axis: number = -1) {
      const lines = linesOf(name, x.shape, axis);
      const { count, k, inner } = lines;
      const wide = wideOf(x.device, lines, log, "forward");
      const { y } = wide
        ? run(wide.kernels.forward, { x }, { y: x.shape }, wide.sizes, { where: name, ...wide.settings })
        : run(forward, { x }, { y: x.shape }, { k, inner }, { where: name, constants: { log }, threads: count });
      return { output: y, saved: { y, lines } };
    },
    backward(dy, { y, lines }) {
      const { count, k, inner } = lines;
      const wide = wideOf(dy.device, lines, log, "backward");
      const { dx } = wide
        ? run(wide.kernels.backward, { dy, y }, { dx: y.shape }, wide.sizes, wide.settings)
        : run(backward, { dy, y }, { dx: y.shape }, { k, inner }, { constants: { log }, threads: count });
      return [dx];
    },
  });
}

/** Probabilities along `axis` (default: the last). */
export const softmax = define("softmax", false);
/** Logarithm of the softmax along `axis` (default: the last), without the loss of precision of log(softmax(x)). */
export const logSoftmax = define("logSoftmax", true);
