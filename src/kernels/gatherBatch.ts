/**
 * The batch kernel: picks images by index from a data set of bytes that lives on the GPU, and normalises them on the way.
 *
 *   x[b, i] = pixel(order[cursor·B + b], i) · scale + shift
 *
 * WGSL cannot address bytes, so four pixels are one u32 and one lane vector. The data set is uploaded once; a training
 * step reads its place in the shuffled order from the step counter on the GPU, and the CPU sends nothing.
 */
import { ShapeError } from "../errors.ts";
import { defineKernel, formatShape, run, sizeOf, type Shape, type Tensor } from "../tensor/index.ts";

const uniforms = { row: "u32", batches: "u32", stride: "u32", offset: "u32" } as const;

/** Where row b of the batch stands in `order`: batches follow each other and begin again after the last. */
const PLACE = "u.offset + (cursor[0] % u.batches) * u.stride";

const imageKernel = defineKernel({
  name: "gatherBatch",
  uniforms: { ...uniforms, scale: "f32", shift: "f32" },
  inputs: { pixels: "u32", order: "u32", cursor: "u32" },
  outputs: { x: "f32v" },
  wgsl: /* wgsl */ `
    fn run(i: u32) {                                       // one thread per four pixels
      let b = i / u.row;
      let bytes = pixels[order[${PLACE} + b] * u.row + i % u.row];
      store_x(i, unpack4x8unorm(bytes) * u.scale + u.shift);
    }`,
  flops: (threads) => threads * 8,
});

const labelKernel = defineKernel({
  name: "gatherLabels",
  uniforms,
  inputs: { labels: "u32", order: "u32", cursor: "u32" },
  outputs: { y: "u32" },
  wgsl: /* wgsl */ `
    fn run(b: u32) { store_y(b, labels[order[${PLACE} + b]]); }`,
});

/** A data set on the GPU. */
export interface ByteImages {
  /** u32, four pixels each: `[count, height · width · channels / 4]`. */
  readonly pixels: Tensor;
  /** u32 class numbers, `[count]`. */
  readonly labels: Tensor;
  /** `[height, width, channels]`; their product must be a multiple of four. */
  readonly imageShape: Shape;
}

export interface BatchPlace {
  /** u32 indices into the data set. */
  readonly order: Tensor;
  /** `[1]`, u32: which batch comes; taken modulo `batches`. */
  readonly cursor: Tensor;
  /** Rows of this batch, and of a full one. */
  readonly rows: number;
  readonly stride: number;
  readonly batches: number;
  /** Where in `order` the first batch begins. Default: 0. */
  readonly offset?: number;
}

/** Pixel values p in 0…255 become p/255 · scale + shift. Default: scale 1, shift 0. */
export interface Normalisation {
  readonly scale: number;
  readonly shift: number;
}

/** Images `[rows, height, width, channels]` (f32) and labels `[rows]` (u32) of one batch. */
export function gatherBatch(
  data: ByteImages,
  place: BatchPlace,
  { scale, shift }: Normalisation,
): { x: Tensor; y: Tensor } {
  const size = sizeOf(data.imageShape);
  if (size % 4 !== 0) {
    throw new ShapeError({
      where: "gatherBatch",
      expected: "images of a multiple of four values",
      got: formatShape(data.imageShape),
    });
  }
  const { order, cursor, rows, stride, batches, offset = 0 } = place;
  const sizes = { row: size / 4, batches, stride, offset };
  const shape = [rows, ...data.imageShape];
  const { x } = run(
    imageKernel,
    { pixels: data.pixels, order, cursor },
    { x: shape },
    { ...sizes, scale, shift },
    { constants: { width: 4 } },
  );
  const { y } = run(labelKernel, { labels: data.labels, order, cursor }, { y: [rows] }, sizes);
  return { x, y };
}

const collectKernel = defineKernel({
  name: "collectRows",
  uniforms,
  inputs: { rows: "f32", cursor: "u32" },
  outputs: { table: "f32" },
  wgsl: /* wgsl */ `
    fn run(i: u32) { store_table((${PLACE}) * u.row + i, rows[i]); }`,
});

/** Stores a batch's results `[rows, n]` where its images stand in the data set: into `table`, `[count, n]`. */
export function collectRows(rows: Tensor, { cursor, batches, stride, offset = 0 }: BatchPlace, table: Tensor): void {
  const sizes = { row: rows.size / rows.shape[0]!, batches, stride, offset };
  run(collectKernel, { rows, cursor }, { table }, sizes, { threads: rows.size });
}
