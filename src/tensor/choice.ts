/** Which adapter is best, and in which words: pure functions that Node and the page share. */
import { DeviceError } from "../errors.ts";
import type { MatrixShape } from "./matrixUnit.ts";
import type { AdapterCandidate, AdapterKind } from "./platform.ts";

const lavapipe = /llvmpipe|lavapipe/i;
const swiftshader = /swiftshader/i;
const software = /llvmpipe|lavapipe|swiftshader|basic render/i;

/** Mesa before 25 lacks what Dawn asks of lavapipe, or computes wrongly with it. */
const oldestMesa = 25;

/** A candidate together with the adapter itself, before the choice is made. */
export interface Found extends AdapterCandidate {
  readonly adapter: GPUAdapter;
}

/**
 * Describes an adapter. `label` is the name under which the platform listed it, which tells more than
 * `adapter.info` does; without one the name is put together from `info`.
 */
export function describe(adapter: GPUAdapter, source: string, label = ""): Found {
  const { info } = adapter;
  const words = `${label} ${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  const unfit = shortcoming(words);
  return {
    adapter,
    name: readableName(label, info),
    kind: info.isFallbackAdapter || software.test(words) ? "software" : "gpu",
    source,
    driver: info.description,
    subgroupSize: subgroupSize(adapter),
    matrixShapes: matrixShapes(adapter),
    features: [...adapter.features].sort(),
    limits: readLimits(adapter.limits),
    ...(unfit === undefined ? {} : { unfit }),
  };
}

/** Best first: GPUs in the platform's own order, then lavapipe, SwiftShader, other software; unfit ones last. */
export function bestFirst<T extends AdapterCandidate>(candidates: readonly T[]): T[] {
  return [...candidates].sort((a, b) => rank(a) - rank(b));
}

/** Whether `wish` (a kind, a family, or part of a name) describes the candidate. */
export function answersTo(candidate: AdapterCandidate, wish: string): boolean {
  const wanted = wish.trim().toLowerCase();
  if (wanted === "gpu" || wanted === "software") return candidate.kind === wanted;
  if (wanted === "lavapipe") return lavapipe.test(candidate.name);
  if (wanted === "swiftshader") return swiftshader.test(candidate.name);
  return wanted !== "" && candidate.name.toLowerCase().includes(wanted);
}

/**
 * The candidate to use and the clause that explains it.
 * @throws DeviceError when there is none, or none that answers to `wish`; it lists what there is, with `advice`.
 */
export function pick<T extends AdapterCandidate>(
  candidates: readonly T[],
  wish: string | undefined,
  advice: readonly string[],
): T & { readonly reason: string } {
  const sorted = bestFirst(candidates);
  const chosen = sorted.find((one) => (wish === undefined ? one.unfit === undefined : answersTo(one, wish)));
  if (chosen !== undefined) return { ...chosen, reason: reasonFor(chosen, sorted, wish) };
  throw new DeviceError({
    where: "openDevice",
    expected: wish === undefined ? "a WebGPU adapter" : `an adapter that answers to "${wish}"`,
    got: sorted.length === 0 ? "none at all" : sorted.map(inBrief).join(", "),
    advice: [...(sorted.length === 0 ? [] : ["ask for one of these by part of its name"]), ...advice].join("; or "),
  });
}

function reasonFor(chosen: AdapterCandidate, all: readonly AdapterCandidate[], wish: string | undefined): string {
  if (wish !== undefined) return `asked for as "${wish}"`;
  const peers = all.filter((one) => one.kind === chosen.kind && one.unfit === undefined);
  const skipped = all.filter((one) => one.unfit !== undefined).map(inBrief);
  const merit =
    chosen.kind === "gpu"
      ? peers.length === 1
        ? "the only GPU here"
        : `the first of ${peers.length} GPUs`
      : `no usable GPU here, ${peers.length === 1 ? "one software adapter" : `the fastest of ${peers.length} software adapters`}`;
  return skipped.length === 0 ? merit : `${merit}; skipped ${skipped.join(", ")}`;
}

function inBrief({ name, unfit }: AdapterCandidate): string {
  return unfit === undefined ? name : `${name} (${unfit})`;
}

function rank({ name, kind, unfit }: AdapterCandidate): number {
  const family = kind === "gpu" ? 0 : lavapipe.test(name) ? 1 : swiftshader.test(name) ? 2 : 3;
  return family + (unfit === undefined ? 0 : 10);
}

function shortcoming(words: string): string | undefined {
  const mesa = lavapipe.test(words) ? mesaVersion(words) : undefined;
  if (mesa === undefined || Number.parseInt(mesa, 10) >= oldestMesa) return undefined;
  return `Mesa ${mesa} is older than ${oldestMesa}`;
}

function mesaVersion(words: string): string | undefined {
  return /Mesa (\d+(?:\.\d+)*)/.exec(words)?.[1];
}

function readableName(label: string, info: GPUAdapterInfo): string {
  const mesa = mesaVersion(info.description);
  if (lavapipe.test(label) && mesa !== undefined) {
    const llvm = /LLVM [\d.]+/.exec(label)?.[0];
    return `llvmpipe (Mesa ${mesa}${llvm === undefined ? "" : `, ${llvm}`})`;
  }
  if (label !== "") return label;
  const parts = [info.vendor, info.architecture].filter((part) => part !== "");
  return info.description || info.device || parts.join(" ") || "unnamed adapter";
}

function subgroupSize({ features, info }: GPUAdapter): number {
  const fixed = features.has("subgroups") && info.subgroupMinSize === info.subgroupMaxSize;
  return fixed ? info.subgroupMinSize : 0;
}

/** The types of WebGPU do not know this experimental field yet. */
function matrixShapes({ info }: GPUAdapter): readonly MatrixShape[] {
  return (info as { readonly subgroupMatrixConfigs?: readonly MatrixShape[] }).subgroupMatrixConfigs ?? [];
}

/** Limits live on the prototype as getters, so that neither spread nor `Object.entries` sees them. */
function readLimits(limits: GPUSupportedLimits): Record<string, number> {
  const read: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") read[name] = value;
  }
  return read;
}

/** Whether any of these computes on silicon made for it. */
export function hasKind(candidates: readonly AdapterCandidate[], kind: AdapterKind): boolean {
  return candidates.some((one) => one.kind === kind && one.unfit === undefined);
}

/** Whether any of these is a sound lavapipe. */
export function hasLavapipe(candidates: readonly AdapterCandidate[]): boolean {
  return candidates.some((one) => lavapipe.test(one.name) && one.unfit === undefined);
}
