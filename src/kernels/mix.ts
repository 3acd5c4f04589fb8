/**
 * Mixing the images of a batch, and their labels in the same proportion.
 *
 *   mixup    x'[b] = λ_b · x[b] + (1 − λ_b) · x[b + 1]                  (Zhang et al. 2018)
 *   cutmix   x'[b] = x[b + 1] inside a rectangle, x[b] outside; λ_b is the share outside        (Yun et al. 2019)
 *   labels   y'[b] = λ_b · onehot(label[b]) + (1 − λ_b) · onehot(label[b + 1])
 *
 * The partner of the last image is the first one: batches are shuffled, so the next image is as good as any. λ has a
 * Beta(α, α) distribution, drawn without a loop from two uniform numbers (Bailey 1994 and Devroye 1996: a symmetric beta
 * number is a Student t number T with 2α degrees of freedom bent into (0, 1), ½ + ½ · T / √(2α + T²)):
 *
 *   w = u^(1/α), c = cos 2πv          λ = ½ + ½ · c · √((1 − w) / (w + (1 − w) · c²))
 */
import { DtypeError, OptionError, ShapeError } from "../errors.ts";
import { defineKernel, defineOp, formatShape, run, seedKey, type Tensor } from "../tensor/index.ts";
import { COS_SIN } from "./augmentation.ts";
import type { RandomKey } from "./dropout.ts";
import { cutIntoStrips, STRIP, stripUniforms } from "./strips.ts";

export interface MixOptions {
  /** `mixup` blends two images, `cutmix` pastes a rectangle of one into the other. */
  readonly mode: "mixup" | "cutmix";
  /** Of the Beta(α, α) distribution of λ: below 1 one image of the two prevails, at 1 all λ are alike. Default: 1. */
  readonly alpha?: number;
}

/** Fourth word of the counter: see `AUGMENTATION_WORD`. */
const MIXING_WORD = 3;

const drawKernel = defineKernel({
  name: "drawMixing",
  uniforms: { keyLow: "u32", keyHigh: "u32", layer: "u32", power: "f32", h: "f32", w: "f32" },
  inputs: { step: "u32" },
  outputs: { share: "f32", rectangle: "f32v" },
  wgsl: ({ cut }) => /* wgsl */ `
    ${COS_SIN}
    fn run(b: u32) {                                       // one thread per image
      let words = philox(vec4u(b, u.layer, step[0], ${MIXING_WORD}u), vec2u(u.keyLow, u.keyHigh));
      let t = vec4f(words >> vec4u(8u)) * 0x1p-24f;        // four numbers in [0, 1)
      let w = pow(1.0 - t.x, u.power);
      let c = cosSin(360.0 * t.y).x;
      let share = clamp(0.5 + 0.5 * c * sqrt((1.0 - w) / max(w + (1.0 - w) * c * c, 1e-30)), 0.0, 1.0);
      ${
        cut === true
          ? /* wgsl */ `let size = vec2f(u.h, u.w);
      let centre = floor(t.zw * size);
      let half = 0.5 * size * sqrt(1.0 - share);
      let first = clamp(floor(centre - half + 0.5), vec2f(), size);
      let last = clamp(floor(centre + half + 0.5), vec2f(), size);
      let area = (last - first) / size;
      store_share(b, 1.0 - area.x * area.y);               // of what is left at the border
      store_rectangle(b, vec4f(first, last));`
          : "store_share(b, share);"
      }
    }`,
  flops: (threads) => threads * 150,
});

/** What the images of a batch are mixed with: made by `drawMixing`. */
export interface Mixing {
  readonly mode: MixOptions["mode"];
  /** λ, `[rows]`. */
  readonly share: Tensor;
  /** First row and column of the pasted rectangle, and those after its last, `[rows, 4]`; read by cutmix alone. */
  readonly rectangle: Tensor;
}

/** Draws how each image of a batch `[rows, height, width, channels]` is mixed with the next. */
export function drawMixing(x: Tensor, { mode, alpha = 1 }: MixOptions, { seed, layer, step }: RandomKey): Mixing {
  if (mode !== "mixup" && mode !== "cutmix") {
    throw new OptionError({ where: "drawMixing", expected: "mode mixup or cutmix", got: JSON.stringify(mode) });
  }
  if (!(Number.isFinite(alpha) && alpha > 0)) {
    throw new OptionError({ where: "drawMixing", expected: "a finite alpha above 0", got: String(alpha) });
  }
  const [rows = 0, h = 1, w = 1] = imagesOf("drawMixing", x).shape;
  const [keyLow, keyHigh] = seedKey(seed);
  const cut = mode === "cutmix";
  const outputs = { share: [rows], rectangle: cut ? [rows, 4] : [4] };
  const sizes = { keyLow, keyHigh, layer, power: 1 / alpha, h, w };
  return { mode, ...run(drawKernel, { step }, outputs, sizes, { threads: rows, constants: { width: 4, cut } }) };
}

const blendKernel = defineKernel({
  name: "mixup",
  uniforms: { image: "u32", rows: "u32" },
  inputs: { x: "f32v", share: "f32" },
  outputs: { y: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {
      let b = i / u.image;
      let other = select(i + u.image, i - b * u.image, b + 1u == u.rows);
      store_y(i, mix(x[other], x[i], share[b]));
    }`,
  flops: (threads, _, { width }) => threads * Number(width) * 3,
});

const pasteKernel = defineKernel({
  name: "cutmix",
  uniforms: { ...stripUniforms, rows: "u32", depth: "u32" },
  inputs: { x: "f32v", rectangle: "f32" },
  outputs: { y: "realv" },
  wgsl: ({ width }) => /* wgsl */ `
    fn run(i: u32) {                                       // one thread per (image, strip of its rows, place in a row (in fours))
      ${STRIP}
      let top = rectangle[4u * line]; let left = u32(rectangle[4u * line + 1u]) * u.depth;
      let bottom = rectangle[4u * line + 2u]; let right = u32(rectangle[4u * line + 3u]) * u.depth;
      let place = ${width === 4 ? "4u * channel + vec4u(0u, 1u, 2u, 3u)" : "channel"};
      let inside = (place >= u32v(left)) & (place < u32v(right));
      let next = select(line + 1u, 0u, line + 1u == u.rows);
      for (var row = begin; row < end; row++) {
        var value = x[(line * u.columns + row) * c + channel];
        if (f32(row) >= top && f32(row) < bottom && any(inside)) {
          value = select(value, x[(next * u.columns + row) * c + channel], inside);
        }
        store_y((line * u.columns + row) * c + channel, value);
      }
    }`,
});

function paste(x: Tensor, rectangle: Tensor): Tensor {
  const [rows = 0, h = 1, w = 1, depth = 1] = x.shape;
  const width = (w * depth) % 4 === 0 ? 4 : 1;
  const { sizes, threads } = cutIntoStrips(x.device, rows, h, (w * depth) / width);
  const options = { constants: { width }, threads };
  return run(pasteKernel, { x, rectangle }, { y: x.shape }, { ...sizes, rows, depth }, options).y;
}

/** Images `[rows, height, width, channels]`, each mixed with the next one. They are data: no gradient passes. */
export const mixImages = defineOp("mixImages", {
  forward(x: Tensor, { mode, share, rectangle }: Mixing) {
    const [rows = 0] = imagesOf("mixImages", x).shape;
    if (mode === "cutmix") return { output: paste(x, rectangle), saved: null };
    const image = x.size / rows;
    const width = image % 4 === 0 ? 4 : 1;
    const sizes = { image: image / width, rows };
    return { output: run(blendKernel, { x, share }, { y: x.shape }, sizes, { constants: { width } }).y, saved: null };
  },
  backward: "not differentiable",
});

const labelKernel = defineKernel({
  name: "mixLabels",
  uniforms: { classes: "u32", rows: "u32" },
  inputs: { label: "u32", share: "f32" },
  outputs: { y: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {
      let b = i / u.classes; let k = i - b * u.classes;
      let other = label[select(b + 1u, 0u, b + 1u == u.rows)];
      store_y(i, select(0.0, share[b], label[b] == k) + select(0.0, 1.0 - share[b], other == k));
    }`,
  flops: (threads) => threads * 2,
});

/** Labels `[rows]` (u32 class numbers) as targets `[rows, classes]` that sum to 1, mixed like the images. */
export function mixLabels(labels: Tensor, classes: number, { share }: Mixing): Tensor {
  if (labels.dtype !== "u32") {
    throw new DtypeError({ where: "mixLabels", expected: "labels as u32 class numbers", got: labels.dtype });
  }
  if (labels.shape.length !== 1 || labels.size !== share.size) {
    throw new ShapeError({ where: "mixLabels", expected: `${share.size} labels`, got: formatShape(labels.shape) });
  }
  return run(labelKernel, { label: labels, share }, { y: [labels.size, classes] }, { classes, rows: labels.size }).y;
}

function imagesOf(where: string, x: Tensor): Tensor {
  if (x.shape.length === 4) return x;
  throw new ShapeError({
    where,
    expected: "a batch of images [rows, height, width, channels]",
    got: formatShape(x.shape),
  });
}
