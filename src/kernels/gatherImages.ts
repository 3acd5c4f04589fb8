/**
 * A batch of pictures out of a data set of bytes, in one kernel: picked, changed, resized, normalised. Nothing between the
 * bytes and the batch is ever stored.
 *
 *   x[b, i, j, c] = tone_b(seen(order[b], change_b(i, j), c)) · scale[c] + shift[c]
 *
 * `change_b` is the place of the picture that an augmented image shows at (i, j), `tone_b` its contrast and brightness
 * (augmentation.ts); `seen` is the picture resized (resizeFilters.ts). A thread makes four neighbours of a row, so that it
 * stores in fours whatever the number of channels; on software adapters, where entering a thread and dividing its number
 * cost as much as all that, it makes four rows of them.
 */
import { defineKernel, run, type Constants, type Dtype, type Tensor } from "../tensor/index.ts";
import { PARAMETERS, type AugmentationPlan } from "./augmentation.ts";
import { PLACE, placeSizes, placeUniforms, type BatchPlace, type ByteImages } from "./byteImages.ts";
import type { ChannelNormalisation } from "./normalisation.ts";
import { enlargedFunction, LANES, pixelFunction, sampleFunction, vector, type Filter } from "./resizeFilters.ts";
import { each } from "./wgslText.ts";

/** What is compiled in. */
interface Picture {
  /** Neighbouring pixels of a row that a thread makes, and of how many rows. */
  readonly width: 1 | 4;
  readonly rows: 1 | 4;
  readonly filter: Filter;
  /** Whether `enlarged` makes the four. */
  readonly enlarged: boolean;
  /** Channels of the source and of the batch: 1…4. */
  readonly sourceChannels: number;
  readonly channels: number;
  readonly reversed: boolean;
  readonly moves: boolean;
  readonly fractional: boolean;
  readonly tones: boolean;
  readonly erases: boolean;
  readonly outside: "constant" | "nearest" | "reflect";
}

const asPicture = (constants: Constants) => constants as unknown as Picture;

const uniforms = {
  ...placeUniforms, h: "u32", w: "u32", oh: "u32", ow: "u32", sy: "f32", sx: "f32",
  scale0: "f32", scale1: "f32", scale2: "f32", scale3: "f32",
  shift0: "f32", shift1: "f32", shift2: "f32", shift3: "f32",
  fill0: "f32", fill1: "f32", fill2: "f32", fill3: "f32",
} as const; // prettier-ignore

/** A vector of uniforms, one for each channel. */
const perChannel = (name: string, channels: number): string =>
  `${vector(channels)}(${each(channels, (c) => `u.${name}${c}`, ", ")})`;

/** `changeOf(b)`: what augmentation does to image b. What the source does not use is not loaded. */
const changeFunction = (fractional: boolean): string => /* wgsl */ `
    struct Change { across: vec3f, down: vec3f, tone: vec2f, rectangle: vec4f }
    fn changeOf(b: u32) -> Change {
      let at = b * ${PARAMETERS}u;
      let across = vec3f(p[at], ${fractional ? "p[at + 1u]" : "0.0"}, p[at + 2u]);
      let down = ${fractional ? "vec3f(p[at + 3u], p[at + 4u], p[at + 5u])" : "vec3f(0.0, 1.0, p[at + 5u])"};
      return Change(across, down, vec2f(p[at + 6u], p[at + 7u]),
                    vec4f(p[at + 8u], p[at + 9u], p[at + 10u], p[at + 11u]));
    }`;

/** What lies around the picture: how much of q is covered by the picture, or the place within that stands for it. */
const OUTSIDE = {
  constant: "let cover = clamp(q + 1.0, vec2f(), vec2f(1.0)) * clamp(edge - q, vec2f(), vec2f(1.0));",
  nearest: "",
  reflect: "q = edge - abs(q + 0.5 - edge - 2.0 * edge * floor((q + 0.5) / (2.0 * edge))) - 0.5;",
} as const;

/** `shown(base, row, column, change)`: one pixel of the batch before normalisation, in 0…1. */
function shownFunction(picture: Picture, augmented: boolean): string {
  const { channels, moves, fractional, outside, tones, erases } = picture;
  const type = vector(channels);
  const fill = perChannel("fill", channels);
  const covered = fractional ? "cover.x * cover.y" : "all(cover == vec2f(1.0))";
  const place = /* wgsl */ `
      let edge = vec2f(f32(u.ow), f32(u.oh));
      var q = vec2f(dot(change.across, vec3f(here, 1.0)), dot(change.down, vec3f(here, 1.0)));
      ${OUTSIDE[outside]}
      let seen = sample(base, clamp(q, vec2f(), edge - 1.0));`;
  return /* wgsl */ `
    fn shown(base: u32, row: u32, column: u32${augmented ? ", change: Change" : ""}) -> ${type} {
      let here = vec2f(f32(column), f32(row));
      ${moves ? place : "let seen = sample(base, here);"}
      var v = ${converted(picture)};
      ${moves && outside === "constant" ? `v = ${fractional ? "mix" : "select"}(${fill}, v, ${covered});` : ""}
      ${tones ? `v = clamp(v * change.tone.x + change.tone.y, ${type}(), ${type}(1.0));` : ""}
      ${erases ? `if (all(here.yx >= change.rectangle.xy) && all(here.yx < change.rectangle.zw)) { v = ${fill}; }` : ""}
      return v;
    }`;
}

/** Grey to colour by repetition, colour to grey by luminance (ITU-R BT.601), red and blue exchanged. */
function converted({ sourceChannels, channels, reversed }: Picture): string {
  if (sourceChannels === channels) return reversed ? "seen.zyx" : "seen";
  return channels === 1 ? "dot(seen, vec3f(0.299, 0.587, 0.114))" : `${vector(channels)}(seen)`;
}

function source(picture: Picture, augmented: boolean): string {
  const { width, rows, filter, enlarged, sourceChannels, channels, fractional } = picture;
  const shown = (k: number): string =>
    enlarged ? `${vector(channels)}(grey[${k}])` : `shown(base, row, column + ${k}u${augmented ? ", change" : ""})`;
  const values = Array.from({ length: width * channels }, (_, at) => {
    const lane = channels === 1 ? "" : `.${LANES[at % channels]}`;
    return `v${Math.floor(at / channels)}${lane}`;
  });
  const four = (c: number): string => values.slice(c * width, (c + 1) * width).join(", ");
  return /* wgsl */ `
    ${augmented ? changeFunction(fractional) : ""}
    ${
      enlarged
        ? enlargedFunction(filter as "bilinear" | "stretch")
        : pixelFunction(sourceChannels) +
          sampleFunction(filter, sourceChannels, fractional) +
          shownFunction(picture, augmented)
    }
    fn run(i: u32) {                                       // one thread per ${width} × ${rows} pixels
      let columns = u.ow / ${width}u; let bands = u.oh / ${rows}u;
      let line = i / columns; let b = line / bands;
      let column = (i - line * columns) * ${width}u; let top = (line - b * bands) * ${rows}u;
      let base = order[${PLACE} + b] * (u.h * u.w * ${sourceChannels}u);
      let scale = ${perChannel("scale", channels)}; let shift = ${perChannel("shift", channels)};
      ${augmented ? "let change = changeOf(b);" : ""}
      ${enlarged ? "let c = columnsFor(column);" : ""}
      for (var row = top; row < top + ${rows}u; row++) {
        ${enlarged ? "let grey = enlarged(base, row, c);" : ""}
        ${each(width, (k) => `let v${k} = ${shown(k)} * scale + shift;`)}
        let at = ((b * u.oh + row) * columns + column / ${width}u) * ${channels}u;
        ${each(channels, (c) => `store_x(at + ${c}u, f32v(${four(c)}));`)}
      }
    }`;
}

/** Multiplications and additions of taps, and of the normalisation. */
function flops(threads: number, { sy, sx }: { sy: number; sx: number }, constants: Constants): number {
  const { width, rows, filter, sourceChannels, channels } = asPicture(constants);
  const area = (Math.max(sy, 1) + 1) * (Math.max(sx, 1) + 1);
  const taps = { copy: 0, nearest: 0, bilinear: 4, stretch: 4, area, triangle: 4 * area }[filter];
  return threads * width * rows * (2 * taps * sourceChannels + 2 * channels);
}

const plainKernel = defineKernel({
  name: "gatherImages",
  uniforms,
  inputs: { pixels: "u32", order: "u32", cursor: "u32" },
  outputs: { x: "realv" },
  wgsl: (constants) => source(asPicture(constants), false),
  flops,
});

const augmentedKernel = defineKernel({
  name: "gatherImages.augmented",
  uniforms,
  inputs: { pixels: "u32", order: "u32", cursor: "u32", p: "f32" },
  outputs: { x: "realv" },
  wgsl: (constants) => source(asPicture(constants), true),
  flops,
});

/** How a batch is to look. */
export interface PictureOptions {
  readonly size: readonly [height: number, width: number];
  readonly channels: number;
  readonly filter: Filter;
  readonly normalisation: ChannelNormalisation;
  /** What is done to the images, and the parameters that were drawn for them. */
  readonly augmentation: { readonly plan: AugmentationPlan; readonly parameters: Tensor } | null;
  readonly dtype: Dtype;
}

/** `[rows, …size, channels]`. */
export function gatherImages(data: ByteImages, place: BatchPlace, options: PictureOptions): Tensor {
  const { filter, channels, normalisation, augmentation, dtype, size } = options;
  const [h = 0, w = 0, sourceChannels = 0] = data.imageShape;
  const [oh, ow] = size;
  const { scale, shift, reversed } = normalisation;
  const plan = augmentation?.plan;
  const moves = plan?.moves ?? false;
  const width = ow % 4 === 0 ? 4 : 1;
  const twoByTwo = filter === "bilinear" || filter === "stretch";
  const picture: Picture = {
    width,
    rows: data.pixels.device.isSoftware && oh % 4 === 0 ? 4 : 1,
    filter,
    enlarged: twoByTwo && augmentation === null && sourceChannels === 1 && width === 4 && ow >= w,
    sourceChannels,
    channels,
    reversed,
    moves,
    fractional: plan?.fractional ?? false,
    tones: plan?.tones ?? false,
    erases: plan?.erases ?? false,
    outside: plan?.outside ?? "constant",
  };
  const fill = plan?.fill ?? 0;
  const sizes = {
    ...placeSizes(place),
    h,
    w,
    oh,
    ow,
    sy: h / oh,
    sx: w / ow,
    ...numbered("scale", scale),
    ...numbered("shift", shift),
    ...numbered("fill", fill === "mean" ? scale.map((factor, c) => -shift[c]! / factor) : scale.map(() => fill / 255)),
  };
  const inputs = { pixels: data.pixels, order: place.order, cursor: place.cursor };
  const shape = { x: [place.rows, oh, ow, channels] };
  const how = { threads: (place.rows * oh * ow) / (width * picture.rows), constants: { ...picture }, dtype };
  if (augmentation === null) return run(plainKernel, inputs, shape, sizes, how).x;
  return run(augmentedKernel, { ...inputs, p: augmentation.parameters }, shape, sizes, how).x;
}

/** Values of the uniforms that `perChannel` reads. */
function numbered<N extends string>(name: N, values: readonly number[]): Record<`${N}${0 | 1 | 2 | 3}`, number> {
  const entries = [0, 1, 2, 3].map((c) => [`${name}${c}`, values[c] ?? 0]);
  return Object.fromEntries(entries) as Record<`${N}${0 | 1 | 2 | 3}`, number>;
}
