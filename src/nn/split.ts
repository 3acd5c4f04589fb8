/**
 * A model in two: its first layers, which training leaves as they are, and the rest, which learns. What the first ones make
 * of an input is the same in every epoch, so it need be computed only once.
 */
import { OptionError } from "../errors.ts";
import type { BuiltStep } from "./layer.ts";
import { partOf, type Model } from "./model.ts";

/** Both are views: they hold the model's own parameters, so that what `head` learns, the model has learnt. */
export interface SplitModel {
  /** Inputs → features. */
  readonly base: Model;
  /** Features → outputs. */
  readonly head: Model;
}

/**
 * Splits a model behind the last layer that is the same in training as in prediction, and before which all are: frozen, or
 * without parameters, and drawing no random numbers.
 * @throws {OptionError} when there are no such layers, or nothing but such layers; see `unsplittable`.
 */
export function splitFrozen(model: Model): SplitModel {
  const reason = unsplittable(model);
  if (reason !== null) {
    throw new OptionError({
      where: "splitFrozen",
      expected: "a sequence of layers of which the first are frozen",
      got: reason,
      advice: "freeze the layers first: freeze(model, selection)",
    });
  }
  const { steps } = model;
  const cut = fixedSteps(steps);
  return { base: partOf(model, 0, cut), head: partOf(model, cut, steps.length) };
}

/** Why a model has no first layers that stay as they are, in words; null when it has. */
export function unsplittable({ steps }: Model): string | null {
  if (steps.length === 0) return "the model is not a sequence of layers";
  const cut = fixedSteps(steps);
  if (cut === steps.length) return "no layer learns";
  if (steps.slice(0, cut).some(({ parameters }) => parameters.length > 0)) return null;
  const next = steps[cut]!;
  return `${next.path} is the first layer with parameters or random numbers, and ${next.draws ? "draws" : "learns"}`;
}

/** How many of the first steps compute the same in training and in prediction, whatever the others learn. */
function fixedSteps(steps: readonly BuiltStep[]): number {
  const changing = steps.findIndex(({ parameters, draws }) => draws || parameters.some(({ frozen }) => !frozen));
  return changing < 0 ? steps.length : changing;
}
