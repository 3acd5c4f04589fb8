/**
 * Sums over support vectors: what prediction spends its time on.
 *
 * Why: one-vs-one machines of ten classes are 45 decision functions over the same support vectors. Each kernel value is
 * computed once, in blocks of queries against all support vectors, and used in all functions.
 */
import { centreOf, KernelRows, type RowSelection, slack } from "../kernel/rows.ts";
import type { KernelSettings } from "../kernel/kernels.ts";
import { alignedBytes, withWorkspace, type Workspace } from "../wasm/workspace.ts";
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
  const rowBytes = alignedBytes(4 * (count + slack));
  const bytes =
    KernelRows.bytes(count + queryBlock, columns) + queryBlock * rowBytes + CoefficientTable.bytes(groups, layers);
  await withWorkspace(bytes, async (workspace) => {
    const rows = new KernelRows(workspace, support, kernel, centreOf(support, kernel), queryBlock);
    const table = new CoefficientTable(workspace, groups, coefficients, layers);
    const outs = Array.from({ length: queryBlock }, () => workspace.floats(rowBytes / 4));
    for (const { view } of outs) view.fill(0);
    const addresses = outs.map(({ at }) => at);
    for (let from = 0; from < total; from += queryBlock) {
      const size = Math.min(queryBlock, total - from);
      const positions = Array.from({ length: size }, (_, i) => count + i);
      positions.forEach((position, i) => rows.load(position, queries.features, queries.indices[from + i] as number));
      rows.compute(positions, addresses, 0, count);
      table.sums(addresses.slice(0, size), sums, from * groups.length * layers);
      context.progress(from / total);
      await context.breathe();
    }
  });
  return sums;
}

/**
 * Coefficients by group and layer, each run padded with zeros to whole vectors: the loop may then read on into the kernel
 * values of the next group.
 */
class CoefficientTable {
  private readonly workspace: Workspace;
  private readonly groups: Int32Array;
  private readonly layers: number;
  private readonly base: number;

  static bytes(groups: Int32Array, layers: number): number {
    return alignedBytes(8 * layers * groups.reduce((sum, size) => sum + padded(size), 0));
  }

  constructor(workspace: Workspace, groups: Int32Array, coefficients: Float64Array, layers: number) {
    this.workspace = workspace;
    this.groups = groups;
    this.layers = layers;
    const { at, view } = workspace.doubles(CoefficientTable.bytes(groups, layers) / 8);
    this.base = at;
    view.fill(0);
    const count = coefficients.length / layers;
    let [to, from] = [0, 0];
    for (const size of groups) {
      for (let layer = 0; layer < layers; layer++, to += padded(size)) {
        view.set(coefficients.subarray(layer * count + from, layer * count + from + size), to);
      }
      from += size;
    }
  }

  /** Writes the sums of each row of kernel values (`rows`: addresses) to `sums` from `start` on. */
  sums(rows: readonly number[], sums: Float64Array, start: number): void {
    let [run, column] = [this.base, 0];
    this.groups.forEach((size, group) => {
      for (let layer = 0; layer < this.layers; layer++, run += 8 * padded(size)) {
        rows.forEach((row, i) => {
          const at = start + (i * this.groups.length + group) * this.layers + layer;
          sums[at] = this.workspace.loops.weightedSum(run, row + 4 * column, 4 * padded(size));
        });
      }
      column += size;
    });
  }
}

const padded = (size: number): number => Math.ceil(size / slack) * slack;
