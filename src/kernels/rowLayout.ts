/** Who walks the rows of logits `[batch, classes]`, for a loss or a count over them. */
import type { Constants, Tensor } from "../tensor/index.ts";

/** Lanes of the workgroup that sums up rows. */
export const TOTAL_LANES = 128;
/** Rows that this workgroup also computes by itself, if their classes are few. */
const WHOLE = 4 * TOTAL_LANES;
/** Classes from which on a row is worth a workgroup of its own. */
const WIDE = 64;

export interface RowLayout {
  /** An invocation walks a row; a workgroup does; or one workgroup walks all rows, a row a lane, and sums them up. */
  readonly form: "rows" | "wide" | "whole";
  /** Those given, `lanes` that walk a row together, and `width`. */
  readonly constants: Constants;
  readonly grid: { readonly threads: number } | { readonly groups: readonly [number, number, number] };
}

/** The classes of lane vector `at` of a row. */
export const classesAt = (at: string, { width }: Constants): string =>
  width === 4 ? `(4u * ${at} + vec4u(0u, 1u, 2u, 3u))` : at;

/** The sum of a lane vector's elements. */
export const laneSum = (v: string, { width }: Constants): string => (width === 4 ? `dot(${v}, vec4f(1.0))` : v);

/** `reduced`: only the sum over rows is wanted. */
export function rowLayout({ shape, device }: Tensor, flags: Constants, reduced: boolean): RowLayout {
  const [rows = 0, k = 0] = shape;
  const constants = { ...flags, width: k % 4 === 0 ? 4 : 1, lanes: 1 };
  if (k >= WIDE && rows <= device.gpu.limits.maxComputeWorkgroupsPerDimension) {
    const lanes = device.variant === "subgroup" ? device.subgroupSize : 64;
    return { form: "wide", constants: { ...constants, lanes }, grid: { groups: [rows, 1, 1] } };
  }
  if (reduced && rows <= WHOLE) return { form: "whole", constants, grid: { groups: [1, 1, 1] } };
  return { form: "rows", constants, grid: { threads: rows } };
}
