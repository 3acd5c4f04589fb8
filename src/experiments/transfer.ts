/** Transfer learning in experiment files: whose weights a network begins with, and what of it does not learn. */
import type { LayerSelection } from "../nn/index.ts";
import {
  keras,
  kerasApplications,
  torch,
  torchvision,
  type LoadWeightsOptions,
  type NameMap,
} from "../weights/index.ts";
import type { Experiment } from "./experiment.ts";

const maps: Readonly<Record<string, NameMap>> = {
  keras,
  kerasApplications,
  torch,
  ...Object.fromEntries(Object.entries(torchvision).map(([name, map]) => [`torchvision/${name}`, map])),
};

/** Whose names a file may have. */
export const weightNames = Object.keys(maps);

export interface Transfer {
  /** A file to begin with, and how to read it: `loadWeights(model, found, options)`. */
  readonly weights: { readonly file: string; readonly options: LoadWeightsOptions } | null;
  /** For `freeze`, one after the other. */
  readonly frozen: readonly LayerSelection[];
}

/** Name of the layer that a network gets in place of its own classifier. */
export const HEAD = "head";

/** What an experiment takes over, and leaves as it is. */
export function transferOf({ model, weights, freeze = [] }: Experiment): Transfer {
  const base = "name" in model && "head" in model && model.head !== undefined ? new RegExp(`^(?!${HEAD}/)`) : null;
  const selections: readonly SelectionText[] = isSeveral(freeze) ? freeze : [freeze];
  return {
    weights: weights === undefined ? null : { file: weights.file, options: loadingOf(weights, base !== null) },
    frozen: selections.flatMap((selection) => selectionOf(selection, base)),
  };
}

type WeightsText = NonNullable<Experiment["weights"]>;

/** A file's own classifier has no place in a network with another one. */
function loadingOf({ names, except }: WeightsText, hasHead: boolean): LoadWeightsOptions {
  const kept = except ?? (hasHead ? [HEAD] : []);
  return {
    ...(names === undefined ? {} : { map: maps[names]! }),
    ...(kept.length === 0 ? {} : { except: beginningWith(kept), allowUnexpected: true }),
  };
}

/** Names of layers that begin so, and all that is in them. */
function beginningWith(names: readonly string[]): RegExp {
  const escaped = names.map((name) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`(^|/)(${escaped.join("|")})`);
}

type FreezeText = NonNullable<Experiment["freeze"]>;
type SelectionText = Exclude<FreezeText, readonly unknown[]>;

// `Array.isArray` does not tell read-only arrays apart.
const isSeveral = (freeze: FreezeText): freeze is readonly SelectionText[] => Array.isArray(freeze);

/** @param base what is before the head; null where there is none. */
function selectionOf(selection: SelectionText, base: RegExp | null): LayerSelection[] {
  if (selection === "allButClassifier") return [base ?? { allBut: "classifier" }];
  if ("last" in selection) return [base ? { allBut: selection.last, within: base } : { allBut: selection.last }];
  return "names" in selection ? [...selection.names] : [new RegExp(selection.matching)];
}
