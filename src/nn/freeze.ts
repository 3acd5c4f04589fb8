/**
 * Transfer learning: which layers training leaves as they are. A frozen layer keeps its parameters, needs neither gradients
 * nor moments, and its batch norm goes on with the statistics that it has.
 */
import { OptionError } from "../errors.ts";
import { sizeOf } from "../tensor/index.ts";
import type { Parameter } from "./layer.ts";
import type { Model } from "./model.ts";

/**
 * Layers with parameters: those whose path, or the rest of it behind any slash, begins with a text (`block1`, `base/`);
 * those whose path matches; or all but the last ones, of the model or of the layers `within` a name. The classifier is
 * the last of all. What lies outside of `within` is not meant at all.
 */
export type LayerSelection =
  string | RegExp | { readonly allBut: number | "classifier"; readonly within?: string | RegExp };

export interface FreezeOptions {
  /** Whether batch norms of frozen layers still follow the batches' statistics. Default: false. */
  readonly adaptStatistics?: boolean;
}

export interface FreezeReport {
  /** Paths of the layers that were selected, in the order in which they compute. */
  readonly layers: readonly string[];
  /** Numbers in them. */
  readonly parameters: number;
  /** Numbers of the whole model that training will change, statistics not counted. */
  readonly learnable: number;
}

/** A layer and what it holds. */
type Owner = readonly [path: string, parameters: readonly Parameter[]];

/**
 * Freezes layers, besides those that are frozen already. Do it before `fit`.
 * @throws {OptionError} when no layer is meant.
 */
export function freeze(model: Model, selection: LayerSelection, options: FreezeOptions = {}): FreezeReport {
  const { adaptStatistics = false } = options;
  return mark(model, select("freeze", model, selection), ({ trainable }) => trainable || !adaptStatistics);
}

/** Lets layers learn again. Default: all. */
export function unfreeze(model: Model, selection: LayerSelection = /(?:)/): FreezeReport {
  return mark(model, select("unfreeze", model, selection), () => false);
}

function mark(model: Model, owners: readonly Owner[], isFrozen: (parameter: Parameter) => boolean): FreezeReport {
  const selected = owners.flatMap(([, parameters]) => parameters);
  for (const parameter of selected) parameter.frozen = isFrozen(parameter);
  return {
    layers: owners.map(([path]) => path),
    parameters: countOf(selected),
    learnable: countOf(model.parameters.filter(({ trainable, frozen }) => trainable && !frozen)),
  };
}

function countOf(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

function select(where: string, model: Model, selection: LayerSelection): readonly Owner[] {
  const owners = ownersOf(model);
  const isName = typeof selection === "string" || selection instanceof RegExp;
  const name = isName ? selection : (selection.within ?? /(?:)/);
  const named = owners.filter(([path]) => isMeant(path, name));
  if (named.length === 0) {
    throw new OptionError({
      where,
      expected: `layers that ${typeof name === "string" ? `begin with "${name}"` : `match ${String(name)}`}`,
      got: `none among ${owners.length}: ${[...owners.slice(0, 3), ...owners.slice(-1)].map(([path]) => path).join(", ")}`,
      advice: "model.parameters lists all names",
    });
  }
  if (isName) return named;
  const last = selection.allBut === "classifier" ? 1 : selection.allBut;
  if (Number.isInteger(last) && last >= 0 && last <= named.length) return named.slice(0, named.length - last);
  throw new OptionError({
    where,
    expected: `allBut: "classifier", or a number from 0 to ${named.length}, the layers with parameters`,
    got: JSON.stringify(last),
  });
}

/** Layers with parameters, in the order in which they compute. */
function ownersOf({ parameters }: Model): Owner[] {
  const owners = new Map<string, Parameter[]>();
  for (const parameter of parameters) {
    const path = parameter.name.slice(0, Math.max(0, parameter.name.lastIndexOf("/")));
    owners.set(path, [...(owners.get(path) ?? []), parameter]);
  }
  return [...owners];
}

function isMeant(path: string, name: string | RegExp): boolean {
  return typeof name === "string" ? `/${path}/`.includes(`/${name}`) : path.search(name) >= 0;
}
