/**
 * Softmax and its logarithm along one axis.
 *
 *   y[k] = exp(x[k] − m) / Σ exp(x[j] − m),   m = max x        dx = y · (dy − Σ dy·y)
 *   log y[k] = x[k] − m − ln Σ exp(x[j] − m)                   dx = dy − y · Σ dy
 *
 * One invocation walks one line of the axis: with the few classes of a classifier, neighbouring invocations share cache
 * lines and no two need to talk. Subtracting the maximum keeps exp from overflowing.
 */
import { defineKernel, defineOp, normaliseAxes, run, sizeOf, type Shape, type Tensor } from "../tensor/index.ts";

const uniforms = { k: "u32", inner: "u32" } as const;

const forward = defineKernel({
  name: "softmax",
  uniforms,
  inputs: { x: "f32" },
  outputs: { y: "f32" },
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
  outputs: { dx: "f32" },
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

function lines(where: string, shape: Shape, axis: number) {
  const [along] = normaliseAxes(where, [axis], shape.length) as [number];
  const sizes = { k: shape[along]!, inner: sizeOf(shape.slice(along + 1)) };
  return { sizes, threads: sizeOf(shape) / sizes.k };
}

function define(name: string, log: boolean): (x: Tensor, axis?: number) => Tensor {
  const constants = { log };
  return defineOp(name, {
    forward(x: Tensor, axis: number = -1) {
      const { sizes, threads } = lines(name, x.shape, axis);
      const { y } = run(forward, { x }, { y: x.shape }, sizes, { threads, constants });
      return { output: y, saved: { y, sizes, threads } };
    },
    backward: (dy, { y, sizes, threads }) => [
      run(backward, { dy, y }, { dx: y.shape }, sizes, { threads, constants }).dx,
    ],
  });
}

/** Probabilities along `axis` (default: the last). */
export const softmax = define("softmax", false);
/** Logarithm of the softmax along `axis` (default: the last), without the loss of precision of log(softmax(x)). */
export const logSoftmax = define("logSoftmax", true);
