/**
 * Batches of a data set that lives on the GPU: images and labels, and the way back for results.
 *
 *   x[b, i] = pixel(order[cursor·B + b], i) · scale + shift
 *
 * WGSL cannot address bytes, so four pixels are one u32 and one lane vector. The data set is uploaded once; a training
 * step reads its place in the shuffled order from the step counter on the GPU, and the CPU sends nothing. This is the way
 * for images that stay as they are; gatherImages.ts is for those that are resized or augmented, gatherRows.ts for what is
 * numbers already.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { defineKernel, formatShape, run, sizeOf, type Dtype, type Shape, type Tensor } from "../tensor/index.ts";
import { drawAugmentation, planAugmentation, type Augmentation } from "./augmentation.ts";
import { PLACE, placeSizes, placeUniforms, type BatchPlace, type ByteImages } from "./byteImages.ts";
import type { RandomKey } from "./dropout.ts";
import { gatherImages } from "./gatherImages.ts";
import { gatherRows, type FloatRows } from "./gatherRows.ts";
import { channelNormalisation, type ChannelNormalisation, type Normalisation } from "./normalisation.ts";
import { reshape } from "./reshape.ts";
import type { Filter } from "./resizeFilters.ts";

const imageKernel = defineKernel({
  name: "gatherBatch",
  uniforms: { ...placeUniforms, row: "u32", scale: "f32", shift: "f32" },
  inputs: { pixels: "u32", order: "u32", cursor: "u32" },
  outputs: { x: "realv" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per four pixels
      let b = i / u.row;
      let bytes = pixels[order[${PLACE} + b] * u.row + i - b * u.row];
      store_x(i, unpack4x8unorm(bytes) * u.scale + u.shift);
    }`,
  flops: (threads) => threads * 8,
});

const labelKernel = defineKernel({
  name: "gatherLabels",
  uniforms: placeUniforms,
  inputs: { labels: "u32", order: "u32", cursor: "u32" },
  outputs: { y: "u32" },
  wgsl: /* wgsl */ `
    fn run(b: u32) { store_y(b, labels[order[${PLACE} + b]]); }`,
});

/** In pixels. */
type Size = readonly [height: number, width: number];

/** How the images of a batch are to look. */
export interface BatchLook {
  /** Default: p/255. */
  readonly normalisation?: Normalisation;
  /** `[height, width]`. Default: as they are. */
  readonly size?: Size;
  /** How they are resized: half-pixel centres throughout. Default: `bilinear`. */
  readonly resize?: "nearest" | "bilinear" | "area";
  /** Whether bilinear weights widen to see every pixel of an image made smaller. Default: false. */
  readonly antialias?: boolean;
  /** Channels: as many as the images have, any number for grey ones (repeated), or 1 for RGB ones (luminance). */
  readonly channels?: number;
  /** Changes drawn for each image; needs `random`. For training alone. */
  readonly augmentation?: Augmentation;
  /** Where the changes are drawn from. The same seed, layer and step give the same images. */
  readonly random?: RandomKey;
  /** Precision in which the images go on. Default: `f32`. */
  readonly dtype?: Dtype;
}

/**
 * Images `[rows, …size, channels]`, normalised, and labels `[rows]` (u32) of one batch. Numbers, `[rows, …shape]`, stay as
 * they are: of `look`, they take the dtype alone, and refuse an augmentation.
 */
export function batchOf(
  data: ByteImages | FloatRows,
  place: BatchPlace,
  look: BatchLook = {},
): { x: Tensor; y: Tensor } {
  const { y } = run(
    labelKernel,
    { labels: data.labels, order: place.order, cursor: place.cursor },
    { y: [place.rows] },
    placeSizes(place),
  );
  return { x: "values" in data ? numbersOf(data, place, look) : imagesOf(data, place, look), y };
}

function numbersOf(data: FloatRows, place: BatchPlace, { augmentation = {}, dtype = "f32" }: BatchLook): Tensor {
  const plan = planAugmentation("batchOf", augmentation);
  if (!plan.moves && !plan.tones && !plan.erases) return gatherRows(data, place, dtype);
  throw new OptionError({ where: "batchOf", expected: "images as bytes to augment", got: "samples as floats" });
}

function imagesOf(data: ByteImages, place: BatchPlace, look: BatchLook): Tensor {
  const { imageShape } = data;
  const sourceChannels = imageShape.at(-1) ?? 1;
  const { size, channels = sourceChannels, augmentation = {}, random, dtype = "f32" } = look;
  const normalisation = channelNormalisation("batchOf", look.normalisation ?? { scale: 1, shift: 0 }, channels);
  const plan = planAugmentation("batchOf", augmentation);
  const changes = plan.moves || plan.tones || plan.erases;
  const resized = size !== undefined && (size[0] !== imageShape[0] || size[1] !== imageShape[1]);
  if (!resized && !changes && channels === sourceChannels && isUniform(normalisation)) {
    return gatherAsIs(data, place, normalisation, dtype);
  }
  const [h, w] = checkImages(imageShape, channels);
  const [oh, ow] = checkSize(size ?? [h, w]);
  const filter = resized ? resizeFilter(look, [h, w], [oh, ow]) : plan.fractional ? "bilinear" : "copy";
  const options = { size: [oh, ow], filter, channels, normalisation, dtype } as const;
  if (!changes) return gatherImages(data, place, { ...options, augmentation: null });
  if (!random) {
    throw new OptionError({ where: "batchOf", expected: "a random key for the augmentation", got: "none" });
  }
  const parameters = drawAugmentation(plan, place.rows, [oh, ow], random);
  return gatherImages(data, place, { ...options, augmentation: { plan, parameters } });
}

/** Values one after the other, whatever their shape: four to a thread where images begin with a word. */
function gatherAsIs(data: ByteImages, place: BatchPlace, normalisation: ChannelNormalisation, dtype: Dtype): Tensor {
  const { pixels, imageShape } = data;
  const size = sizeOf(imageShape);
  const shape = [place.rows, ...imageShape];
  const [scale = 1] = normalisation.scale;
  const [shift = 0] = normalisation.shift;
  if (size % 4 === 0) {
    const inputs = { pixels, order: place.order, cursor: place.cursor };
    const sizes = { ...placeSizes(place), row: size / 4, scale, shift };
    return run(imageKernel, inputs, { x: shape }, sizes, { constants: { width: 4 }, dtype }).x;
  }
  const line = { ...data, imageShape: [1, size, 1] };
  const one = { scale: [scale], shift: [shift], reversed: false };
  const options = { size: [1, size], filter: "copy", channels: 1, normalisation: one, augmentation: null } as const;
  return reshape(gatherImages(line, place, { ...options, dtype }), shape);
}

const isUniform = ({ scale, shift, reversed }: ChannelNormalisation): boolean =>
  !reversed && new Set(scale).size <= 1 && new Set(shift).size <= 1;

function checkImages(imageShape: Shape, channels: number): Size {
  const [h = 0, w = 0, sourceChannels = 0] = imageShape;
  const few = [sourceChannels, channels].every((count) => Number.isInteger(count) && count >= 1 && count <= 4);
  const convertible = sourceChannels === channels || sourceChannels === 1 || (sourceChannels === 3 && channels === 1);
  if (imageShape.length === 3 && few && convertible) return [h, w];
  throw new ShapeError({
    where: "batchOf",
    expected: "images [height, width, channels] of 1 … 4 channels, the same number, grey ones, or RGB to be made grey",
    got: `${formatShape(imageShape)} for ${channels} channels`,
  });
}

function checkSize(size: Size): Size {
  if (size.length === 2 && size.every((side) => Number.isInteger(side) && side > 0)) return size;
  throw new OptionError({ where: "batchOf", expected: "a size [height, width] in pixels", got: JSON.stringify(size) });
}

function resizeFilter({ resize = "bilinear", antialias = false }: BatchLook, [h, w]: Size, [oh, ow]: Size): Filter {
  if (!["nearest", "bilinear", "area"].includes(resize)) {
    throw new OptionError({ where: "batchOf", expected: "resize: nearest, bilinear or area", got: resize });
  }
  if (antialias && resize !== "bilinear") {
    throw new OptionError({ where: "batchOf", expected: "antialias with resize bilinear", got: `with ${resize}` });
  }
  if (antialias && (oh < h || ow < w)) return "triangle";
  return resize === "area" && oh >= h && ow >= w ? "stretch" : resize;
}

const collectKernel = defineKernel({
  name: "collectRows",
  uniforms: { ...placeUniforms, row: "u32" },
  inputs: { rows: "f32", cursor: "u32" },
  outputs: { table: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) { store_table((${PLACE}) * u.row + i, rows[i]); }`,
});

/** Stores a batch's results `[rows, n]` where its images stand in the data set: into `table`, `[count, n]`. */
export function collectRows(rows: Tensor, place: BatchPlace, table: Tensor): void {
  const sizes = { ...placeSizes(place), row: rows.size / rows.shape[0]! };
  run(collectKernel, { rows, cursor: place.cursor }, { table }, sizes, { threads: rows.size });
}
