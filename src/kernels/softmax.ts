/**
 * Softmax and its logarithm along one axis.
 *
 *   y[k] = exp(x[k] − m) / Σ exp(x[j] − m),   m = max x        dx = y · (dy − Σ dy·y)
 *   log y[k] = x[k] − m − ln Σ exp(x[j] − m)                   dx = dy − y · Σ dy
 *
 * Two forms. Over few classes one invocation walks one line: neighbours share cache lines and no two need to talk. Over a
 * long last axis one workgroup walks one line, four neighbours a lane, and adds up what its lanes found in workgroup
 * memory. Subtracting the maximum keeps exp from overflowing.
 */
import { defineKernel, defineOp, normaliseAxes, run, sizeOf, type Tensor } from "../tensor/index.ts";
import { acrossLanes } from "./wgslText.ts";

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

const largest = (v: string) => `max(max(${v}.x, ${v}.y), max(${v}.z, ${v}.w))`;
const total = (v: string) => `(${v}.x + ${v}.y + ${v}.z + ${v}.w)`;

const wideForward = defineKernel({
  name: "softmax.wide",
  uniforms: { k: "u32" },
  inputs: { x: "f32v" },
  outputs: { y: "realv" },
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: ({ log, lanes }) => /* wgsl */ `
    var<workgroup> partial: array<f32, ${lanes}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per line
      let end = (group.x + 1u) * u.k; let start = group.x * u.k + lane;
      var m = x[min(start, end - 1u)];
      for (var at = start; at < end; at += ${lanes}u) { m = max(m, x[at]); }
      var value = ${largest("m")};
      ${acrossLanes(lanes as number, (a, b) => `max(${a}, ${b})`)}
      let greatest = value;
      var sum = vec4f();
      for (var at = start; at < end; at += ${lanes}u) { sum += exp(x[at] - greatest); }
      value = ${total("sum")};
      ${acrossLanes(lanes as number, (a, b) => `${a} + ${b}`)}
      ${log === true ? "let logSum = log(value);" : "let scale = 1.0 / value;"}
      for (var at = start; at < end; at += ${lanes}u) {
        store_y(at, ${log === true ? "x[at] - greatest - logSum" : "exp(x[at] - greatest) * scale"});
      }
    }`,
  flops: (threads, u, { lanes }) => (threads / (lanes as number)) * u.k * 16,
});

const wideBackward = defineKernel({
  name: "softmax.wide.grad",
  uniforms: { k: "u32" },
  inputs: { dy: "f32v", y: "f32v" },
  outputs: { dx: "realv" },
  grid: "groups",
  workgroup: (constants) => constants["lanes"] as number,
  wgsl: ({ log, lanes }) => /* wgsl */ `
    var<workgroup> partial: array<f32, ${lanes}>;
    fn run(group: vec3u, lane: u32) {                      // one workgroup per line
      let end = (group.x + 1u) * u.k; let start = group.x * u.k + lane;
      var sum = vec4f();
      for (var at = start; at < end; at += ${lanes}u) { sum += dy[at]${log === true ? "" : " * y[at]"}; }
      var value = ${total("sum")};
      ${acrossLanes(lanes as number, (a, b) => `${a} + ${b}`)}
      for (var at = start; at < end; at += ${lanes}u) {
        store_dx(at, ${log === true ? "dy[at] - exp(y[at]) * value" : "y[at] * (dy[at] - value)"});
      }
    }`,
  flops: (threads, u, { lanes }) => (threads / (lanes as number)) * u.k * 16,
});

/** From here on a line is worth a workgroup of its own. */
const WIDE = 64;

interface Lines {
  readonly count: number;
  readonly k: number;
  readonly inner: number;
  /** Lanes of the workgroup that walks a line; 0 where one invocation does. */
  readonly lanes: number;
}

function linesOf(where: string, { shape, device }: Tensor, axis: number): Lines {
  const [along] = normaliseAxes(where, [axis], shape.length) as [number];
  const [k, inner] = [shape[along]!, sizeOf(shape.slice(along + 1))];
  const count = sizeOf(shape) / k;
  const wide = inner === 1 && k >= WIDE && k % 4 === 0 && count <= device.gpu.limits.maxComputeWorkgroupsPerDimension;
  return { count, k, inner, lanes: wide ? (device.variant === "subgroup" ? device.subgroupSize : 64) : 0 };
}

function define(name: string, log: boolean): (x: Tensor, axis?: number) => Tensor {
  return defineOp(name, {
    forward(x: Tensor, axis: number = -1) {
      const { count, k, inner, lanes } = linesOf(name, x, axis);
      const wide = { constants: { log, lanes, width: 4 }, groups: [count, 1, 1] as const };
      const { y } =
        lanes > 0
          ? run(wideForward, { x }, { y: x.shape }, { k: k / 4 }, wide)
          : run(forward, { x }, { y: x.shape }, { k, inner }, { constants: { log }, threads: count });
      return { output: y, saved: { y, count, k, inner, wide } };
    },
    backward: (dy, { y, count, k, inner, wide }) => [
      wide.constants.lanes > 0
        ? run(wideBackward, { dy, y }, { dx: y.shape }, { k: k / 4 }, wide).dx
        : run(backward, { dy, y }, { dx: y.shape }, { k, inner }, { constants: { log }, threads: count }).dx,
    ],
  });
}

/** Probabilities along `axis` (default: the last). */
export const softmax = define("softmax", false);
/** Logarithm of the softmax along `axis` (default: the last), without the loss of precision of log(softmax(x)). */
export const logSoftmax = define("logSoftmax", true);
