/**
 * Dropout (Srivastava et al. 2014), inverted: what survives is scaled up, so that inference needs no change.
 *
 *   y[i] = u[i] ≥ rate ? x[i] / (1 − rate) : 0          dx[i] = u[i] ≥ rate ? dy[i] / (1 − rate) : 0
 *
 * u[i] is a pure function of seed, layer, step and i (Philox), so no mask is stored: the backward pass runs the same
 * kernel on dy. One invocation draws four numbers at once, for four neighbours. The spatial form draws one number for each
 * image and channel, and an invocation applies its four to a stretch of pixels.
 */
import { OptionError } from "../errors.ts";
import { defineKernel, defineOp, run, seedKey, type Tensor } from "../tensor/index.ts";

/** Names a stream of random numbers. */
export interface RandomKey {
  /** Any non-negative safe integer. */
  readonly seed: number;
  /** Tells layers of one model apart. */
  readonly layer: number;
  /** `[1]`, u32: the training step, kept on the GPU so that every step draws anew. */
  readonly step: Tensor;
}

const kernel = defineKernel({
  name: "dropout",
  uniforms: { keyLow: "u32", keyHigh: "u32", layer: "u32", count: "u32", rate: "f32", scale: "f32" },
  inputs: { x: "f32", step: "u32" },
  outputs: { y: "real" },
  wgsl: /* wgsl */ `
    fn run(block: u32) {                                   // one thread per four elements
      let words = philox(vec4u(block, u.layer, step[0], 1u), vec2u(u.keyLow, u.keyHigh));
      for (var k = 0u; k < 4u; k++) {
        let i = block * 4u + k;
        if (i < u.count) { store_y(i, select(0.0, x[i] * u.scale, toUnit(words[k]) >= u.rate)); }
      }
    }`,
  flops: (threads) => threads * 4,
});

function drop(x: Tensor, rate: number, { seed, layer, step }: RandomKey): Tensor {
  const [keyLow, keyHigh] = seedKey(seed);
  const uniforms = { keyLow, keyHigh, layer, count: x.size, rate, scale: 1 / (1 - rate) };
  return run(kernel, { x, step }, { y: x.shape }, uniforms, { threads: Math.ceil(x.size / 4) }).y;
}

/** Four lanes take the four words of a block; single channels take theirs in turn, so both forms draw the same. */
const channelKernel = defineKernel({
  name: "dropout.channels",
  uniforms: {
    keyLow: "u32", keyHigh: "u32", layer: "u32", rate: "f32", scale: "f32", c: "u32", pixels: "u32", stretch: "u32", stretches: "u32",
  }, // prettier-ignore
  inputs: { x: "f32v", step: "u32" },
  outputs: { y: "realv" },
  wgsl: ({ width }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (image, stretch of pixels, channel (of four))
      let image = i / u.c / u.stretches;
      let channel = image * u.c + i % u.c;
      let words = philox(vec4u(channel / ${4 / (width as number)}u, u.layer, step[0], 1u), vec2u(u.keyLow, u.keyHigh));
      let unit = ${width === 4 ? "vec4f(toUnit(words.x), toUnit(words.y), toUnit(words.z), toUnit(words.w))" : "toUnit(words[channel % 4u])"};
      let first = i / u.c % u.stretches * u.stretch;
      for (var pixel = first; pixel < min(first + u.stretch, u.pixels); pixel++) {
        let at = (image * u.pixels + pixel) * u.c + i % u.c;
        store_y(at, select(f32v(), x[at] * u.scale, unit >= f32v(u.rate)));
      }
    }`,
  flops: (threads, u, { width }) => threads * u.stretch * (width as number),
});

/** Pixels for which one invocation draws. */
const STRETCH = 32;

function dropChannels(x: Tensor, rate: number, { seed, layer, step }: RandomKey): Tensor {
  const [keyLow, keyHigh] = seedKey(seed);
  const [images, channels] = [x.shape[0]!, x.shape.at(-1)!];
  const pixels = x.size / (images * channels);
  const width = channels % 4 === 0 ? 4 : 1;
  const stretches = Math.ceil(pixels / STRETCH);
  const c = channels / width;
  const uniforms = { keyLow, keyHigh, layer, rate, scale: 1 / (1 - rate), c, pixels, stretch: STRETCH, stretches };
  const options = { constants: { width }, threads: images * stretches * c };
  return run(channelKernel, { x, step }, { y: x.shape }, uniforms, options).y;
}

function define(name: string, apply: typeof drop) {
  return defineOp(name, {
    forward(x: Tensor, rate: number, key: RandomKey) {
      if (!(rate >= 0 && rate < 1)) {
        throw new OptionError({ where: name, expected: "a rate in [0, 1)", got: String(rate) });
      }
      return { output: apply(x, rate, key), saved: { rate, key } };
    },
    backward: (dy, { rate, key }) => [apply(dy, rate, key), null],
  });
}

/** Zeroes each element with probability `rate` (0 ≤ rate < 1) and scales the others by 1 / (1 − rate). */
export const dropout = define("dropout", drop);
/**
 * Zeroes whole channels of images `[batch, …, channels]`, each with probability `rate` (Tompson et al. 2015): neighbouring
 * pixels say much the same, so single ones would hardly be missed.
 */
export const spatialDropout = define("spatialDropout", dropChannels);
