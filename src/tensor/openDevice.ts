/** Opening a device: the best adapter, its highest limits, and the features that kernels know how to use. */
import { chooseAdapter } from "#gpu";
import { DeviceError } from "../errors.ts";
import { Device, type KernelVariant } from "./device.ts";
import { MATRIX_FEATURE, matrixUnitOf, type MatrixUnit } from "./matrixUnit.ts";
import type { AdapterOptions, ChosenAdapter } from "./platform.ts";

export interface DeviceOptions extends AdapterOptions {
  /** Bytes of GPU memory that Trama may hold. Default: 8 GiB. */
  readonly memoryBudget?: number;
  /** Forces a family of kernels, for tests and benches. Default: `TRAMA_VARIANT`, else what suits the adapter. */
  readonly variant?: KernelVariant;
}

const DEFAULT_MEMORY_BUDGET = 8 * 2 ** 30;

const WANTED_FEATURES = [
  "shader-f16",
  "subgroups",
  "subgroup-size-control",
  "timestamp-query",
  MATRIX_FEATURE,
] as const;

const WANTED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  "maxUniformBufferBindingSize",
] as const;

/**
 * Opens a device on the best adapter: a real GPU, else a software one (`device.isSoftware`). The environment variable
 * `TRAMA_ADAPTER`, or the option `adapter`, asks for another. Throws `DeviceError` where none fits.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const chosen = await chooseAdapter(options);
  const requiredFeatures = WANTED_FEATURES.filter((feature) =>
    chosen.adapter.features.has(feature),
  ) as GPUFeatureName[];
  const requiredLimits = Object.fromEntries(WANTED_LIMITS.map((limit) => [limit, chosen.adapter.limits[limit]]));
  try {
    const gpu = await chosen.adapter.requestDevice({ requiredFeatures, requiredLimits, label: "trama" });
    const matrixUnit = await matrixUnitOf(gpu, chosen);
    const { memoryBudget = DEFAULT_MEMORY_BUDGET, variant = variantOf(chosen, matrixUnit) } = options;
    return new Device(chosen, gpu, { memoryBudget, variant, matrixUnit });
  } catch (cause) {
    throw new DeviceError(
      {
        where: "openDevice",
        expected: `a device on ${chosen.name}`,
        got: cause instanceof Error ? cause.message : String(cause),
        advice: "run `trama doctor`, or choose another adapter with TRAMA_ADAPTER",
      },
      { cause },
    );
  }
}

/** On the CPU registers and shuffles win; on a GPU, and without subgroups, tiles, on matrix units where there are some. */
function variantOf({ kind, subgroupSize }: ChosenAdapter, matrixUnit: MatrixUnit | null): KernelVariant {
  const offered: KernelVariant[] = [
    "tiled",
    ...(subgroupSize > 0 ? ["subgroup" as const] : []),
    ...(matrixUnit ? ["matrix" as const] : []),
  ];
  const best: KernelVariant = kind === "software" ? "subgroup" : "matrix";
  const forced = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env?.[
    "TRAMA_VARIANT"
  ];
  if (!forced) return offered.includes(best) ? best : "tiled";
  if ((offered as string[]).includes(forced)) return forced as KernelVariant;
  throw new DeviceError({
    where: "TRAMA_VARIANT",
    expected: `${offered.join(" or ")}, which this adapter can run`,
    got: forced,
    advice: "leave it unset to take what suits the adapter",
  });
}
