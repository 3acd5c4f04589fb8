/**
 * Sums over support vectors: what prediction spends its time on.
 *
 * Why: one-vs-one machines of ten classes are 45 decision functions over the same support vectors. Each kernel value is
 * computed once, in blocks of queries against all support vectors, and used in all functions.
 */
import { centreOf, KernelRows, type RowSelection, slack } from "../kernel/rows.ts";
import type { KernelSettings } from "../kernel/kernels.ts";
import { alignedBytes, withWorkspace } from "../wasm/workspace.ts";
import type { JobContext } from "../workers/job.ts";

/** Queries that pass over the support vectors together. */
const queryBlock = 32;

/**
 * sums[query][group][layer] = Σ over the support vectors s of a group: coefficients[layer][s] · K(s, query).
 * The support vectors of group g follow those of group g − 1; `groups` holds their numbers. Without any support
 * vector all sums are 0.
 */
export async function classDecisions(
  support: RowSelection,
  groups: Int32Array,
  coefficients: Float64Array,
  layers: number,
  queries: RowSelection,
  kernel: KernelSettings,
  context: JobContext,
): Promise<Float64Array> {
  const count = support.indices.length;
  const total = queries.indices.length;
  const sums = new Float64Array(total * groups.length * layers);
  if (count === 0) return sums;
  const { columns } = support.features;
  const bySupport = transpose(coefficients, layers, count);
  const rowBytes = alignedBytes(4 * (count + slack));
  await withWorkspace(KernelRows.bytes(count + queryBlock, columns) + queryBlock * rowBytes, async (workspace) => {
    const rows = new KernelRows(workspace, support, kernel, centreOf(support, kernel), queryBlock);
    const outs = Array.from({ length: queryBlock }, () => workspace.floats(rowBytes / 4));
    for (let from = 0; from < total; from += queryBlock) {
      const size = Math.min(queryBlock, total - from);
      const positions = Array.from({ length: size }, (_, i) => count + i);
      positions.forEach((position, i) => rows.load(position, queries.features, queries.indices[from + i] as number));
      rows.compute(positions, outs.map(({ at }) => at), 0, count);
      for (let i = 0; i < size; i++) {
        const out = outs[i] as (typeof outs)[number];
        accumulate(out.view, bySupport, groups, layers, sums, (from + i) * groups.length * layers);
      }
      context.progress(from / total);
      await context.breathe();
    }
  });
  return sums;
}

/** From layers × support vectors to support vectors × layers: those of one vector are used together. */
function transpose(coefficients: Float64Array, layers: number, count: number): Float64Array {
  const out = new Float64Array(coefficients.length);
  for (let layer = 0; layer < layers; layer++) {
    for (let s = 0; s < count; s++) out[s * layers + layer] = coefficients[layer * count + s] as number;
  }
  return out;
}

function accumulate(values: Float32Array, bySupport: Float64Array, groups: Int32Array, layers: number, sums: Float64Array, start: number): void {
  for (let group = 0, s = 0, at = 0; group < groups.length; group++) {
    const base = start + group * layers;
    for (const end = s + (groups[group] as number); s < end; s++) {
      const value = values[s] as number;
      for (let layer = 0; layer < layers; layer++, at++) {
        sums[base + layer] = (sums[base + layer] as number) + value * (bySupport[at] as number);
      }
    }
  }
}
