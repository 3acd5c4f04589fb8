/**
 * Matrix units (tensor cores) as WebGPU's experimental subgroup matrices offer them. Adapters list the shapes that they
 * multiply; two spellings of loads and stores are about, so a small shader is compiled to find the one that is understood.
 */
import type { ChosenAdapter } from "./platform.ts";

/** Products of f16 `m × k` and `k × n` matrices, summed in f32, by subgroups of `lanes` lanes. */
export interface MatrixUnit {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly lanes: number;
  /** Whether the layout of a load is a template argument or a Boolean. */
  readonly spelling: "template" | "argument";
}

/** One of `adapter.info.subgroupMatrixConfigs`. */
export interface MatrixShape {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

export const MATRIX_FEATURE = "chromium-experimental-subgroup-matrix";

/** The unit that kernels use, if the adapter has one that they can use: tiles of 128 and slices of 32 must divide by it. */
export async function matrixUnitOf(
  gpu: GPUDevice,
  { subgroupSize: lanes, matrixShapes }: ChosenAdapter,
): Promise<MatrixUnit | null> {
  const needed = [MATRIX_FEATURE, "shader-f16", "subgroups"].every((feature) =>
    gpu.features.has(feature as GPUFeatureName),
  );
  if (!needed || (lanes !== 32 && lanes !== 64)) return null;
  const shape = matrixShapes.find(
    ({ componentType, resultComponentType, M, N, K }) =>
      componentType === "f16" &&
      resultComponentType === "f32" &&
      [M, N].every((side) => 32 % side === 0) &&
      32 % K === 0,
  );
  if (!shape) return null;
  const unit = { m: shape.M, n: shape.N, k: shape.K, lanes };
  for (const spelling of ["template", "argument"] as const) {
    if (await understands(gpu, probe({ ...unit, spelling }))) return { ...unit, spelling };
  }
  return null;
}

function probe({ m, k, spelling }: MatrixUnit): string {
  const type = `subgroup_matrix_left<f16, ${k}, ${m}>`;
  const load =
    spelling === "template"
      ? `subgroupMatrixLoad<${type}, row_major>(&tile, 0u, ${k}u)`
      : `subgroupMatrixLoad<${type}>(&tile, 0u, false, ${k}u)`;
  return `enable f16;\nenable subgroups;\nenable chromium_experimental_subgroup_matrix;
var<workgroup> tile: array<f16, ${m * k}>;
@compute @workgroup_size(64) fn main() { let a = ${load}; }`;
}

async function understands(gpu: GPUDevice, code: string): Promise<boolean> {
  gpu.pushErrorScope("validation");
  const information = await gpu.createShaderModule({ code }).getCompilationInfo();
  const error = await gpu.popErrorScope();
  return error === null && information.messages.every(({ type }) => type !== "error");
}
