/** A data set of bytes on the GPU, and where a batch of it stands: what all kernels that make batches share. */
import type { Shape, Tensor } from "../tensor/index.ts";

/** A data set on the GPU. */
export interface ByteImages {
  /** Bytes of `[count, height, width, channels]`, row-major, four to a u32, the first one lowest. */
  readonly pixels: Tensor;
  /** u32 class numbers, `[count]`. */
  readonly labels: Tensor;
  /** `[height, width, channels]` */
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

/** Uniforms that `PLACE` reads. */
export const placeUniforms = { batches: "u32", stride: "u32", offset: "u32" } as const;

/** Where row 0 of the batch stands in `order`: batches follow each other and begin again after the last. */
export const PLACE = "u.offset + (cursor[0] % u.batches) * u.stride";

/** Values of `placeUniforms`. */
export function placeSizes({ batches, stride, offset = 0 }: BatchPlace): Record<keyof typeof placeUniforms, number> {
  return { batches, stride, offset };
}
