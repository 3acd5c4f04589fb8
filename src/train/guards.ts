/**
 * What a result does not say of itself: each guard looks at one thing that makes scores worth less than they seem, and
 * returns a sentence (without a full stop) or null. `fit` puts them among its warnings.
 */
import { sharedImages, type ImageDataset, type SplitName } from "../data/index.ts";
import type { Layer, Model } from "../nn/index.ts";
import type { Callback, EpochResult } from "./callback.ts";
import { isInMemory, labelsOf, type DataInMemory, type DataSource } from "./dataSource.ts";

/** A part of the data set by its name. */
export type NamedPart = readonly [name: string, samples: DataInMemory];

/** Samples of a part that an earlier one has as well: a score on them measures memory. */
export function leakDoubt([earlier, first]: NamedPart, [later, second]: NamedPart): string | null {
  const shared = sharedImages(asImages(first), asImages(second));
  if (shared === null) return null;
  const [one, other] = shared.first;
  const samples = "values" in second ? "samples" : "images";
  return (
    `${shared.count} of ${second.count} ${later} ${samples} lie in the ${earlier} part too, byte by byte ` +
    `(${later} ${other} is ${earlier} ${one}): a score on them measures memory`
  );
}

/** Numbers by their bytes; no image has so many channels, so that nothing is compared that cannot be. */
function asImages(samples: DataInMemory): Pick<ImageDataset, "images" | "shape" | "count"> {
  if (!("values" in samples)) return samples;
  const { values, count } = samples;
  const images = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { images, shape: [1, 1, images.length / count], count };
}

/** Leaks between all parts of a split, in the order in which they are used. */
export function leakDoubts(parts: Readonly<Record<string, DataInMemory | null>>): string[] {
  const named = Object.entries(parts).filter((part): part is [string, DataInMemory] => part[1] !== null);
  return named.flatMap((earlier, at) => named.slice(at + 1).flatMap((later) => leakDoubt(earlier, later) ?? []));
}

/** Validation by the test file: then there is no test left. */
export function testDoubt({ split, count }: { readonly split: SplitName; readonly count: number }): string | null {
  if (split !== "test") return null;
  return `validation uses ${count} images of the test file: what is chosen by them, early stopping included, has seen test data`;
}

/** Scores closer to their bound than this do not differ in any way that matters. */
const SATURATED = 1e-3;

/** A monitored value, one an epoch, that cannot tell a good epoch from a bad one. @param mode of one that has no bound at 1, `min`. */
export function monitorDoubt(
  name: string,
  values: readonly number[],
  mode: "min" | "max" = /loss|error/i.test(name) ? "min" : "max",
): string | null {
  const [first = 0] = values;
  const broken = values.filter((value) => !Number.isFinite(value)).length;
  if (broken > 0) return `${name} was not finite in ${broken} of ${values.length} epochs`;
  if (values.length > 2 && values.every((value) => value === first)) {
    return `${name} was ${show(first)} in each of ${values.length} epochs: it cannot tell which was best`;
  }
  const full = mode === "min" ? 0 : values.filter((value) => value >= 1 - SATURATED && value <= 1).length;
  if (full < 2) return null;
  return `${name} is saturated, at ${show(1 - SATURATED)} or more in ${full} of ${values.length} epochs: it cannot tell which was best`;
}

/** An accuracy that the same answer to everything reaches as well. */
export function baselineDoubt(
  what: string,
  accuracy: number,
  { labels, classNames }: Pick<DataInMemory, "labels" | "classNames">,
): string | null {
  const counts = classNames.map(() => 0);
  for (const label of labels) counts[label]! += 1;
  const most = Math.max(...counts);
  const share = most / labels.length;
  if (accuracy > share) return null;
  return `${what}, ${show(accuracy)}, is not above the trivial baseline's ${show(share)} (always "${classNames[counts.indexOf(most)]}")`;
}

/** So many times the best loss before it is a leap. */
const LEAP = 10;

/** Training losses, one an epoch, that leap or end higher than they began. */
export function divergenceDoubt(losses: readonly number[]): string | null {
  let best = Number.POSITIVE_INFINITY;
  for (const [epoch, loss] of losses.entries()) {
    if (loss > LEAP * best) {
      return `the training loss leapt to ${loss.toPrecision(3)} in epoch ${epoch + 1}, more than ${LEAP} times its best (${best.toPrecision(3)})`;
    }
    best = Math.min(best, loss);
  }
  const [first = 0, last = 0] = [losses[0], losses.at(-1)];
  if (last <= first) return null;
  return `the training loss rose from ${first.toPrecision(3)} in epoch 1 to ${last.toPrecision(3)} in epoch ${losses.length}`;
}

/** What moving statistics may keep of the time before training. */
const STALE = 0.05;

/** Moving statistics of batch norms that few steps have not brought to the data: m of them are mᵗ old after t steps. */
export function laggingDoubt({ architecture, parameters }: Model, steps: number): string | null {
  const norms = layersOf(architecture).filter(({ kind }) => kind === "batchNorm");
  const statistics = parameters.filter(({ name }) => name.endsWith("moving_mean"));
  if (steps === 0 || norms.length !== statistics.length) return null;
  const momenta = norms.flatMap(({ config }, index) =>
    statistics[index]!.frozen ? [] : [Number(config["momentum"] ?? 0.99)],
  );
  const old = Math.max(0, ...momenta) ** steps;
  if (old <= STALE) return null;
  const least = Math.floor(100 * STALE ** (1 / steps)) / 100;
  return (
    `after ${steps} steps the moving statistics of batch norm are ${(100 * old).toFixed(0)} % what they were before, and ` +
    `evaluation normalises by them: train longer, or give batchNorm a momentum of at most ${least}`
  );
}

/** A layer and all that is inside it, in the order in which they are built. */
function layersOf(layer: Layer): Layer[] {
  return [layer, ...layer.children.flatMap(layersOf)];
}

const show = (value: number): string => value.toFixed(4);

interface Parts {
  readonly training: DataSource;
  readonly validation: DataSource | null;
  readonly callbacks: readonly Callback[];
}

/** What is doubtful before the first step. */
export function doubtsBefore({ training, validation }: Omit<Parts, "callbacks">): string[] {
  if (validation === null) return [];
  const leaks = isInMemory(training) && isInMemory(validation) ? leakDoubts({ training, validation }) : [];
  return [...leaks, testDoubt(validation)].filter((doubt) => doubt !== null);
}

/** What is doubtful after the last one. */
export function doubtsAfter(model: Model, parts: Parts, history: readonly EpochResult[], steps: number): string[] {
  const last = history.at(-1);
  if (!last) return [];
  const { training, validation, callbacks } = parts;
  const judged = last.validation && validation;
  const [what, { accuracy }, data] = judged
    ? ["validation", last.validation, validation]
    : ["training", last, training];
  const labels = labelsOf(data);
  const isGuarded = callbacks.some(({ name }) => name === "divergenceGuard"); // which says it in its own words
  return [
    labels && baselineDoubt(`${what} accuracy`, accuracy, { labels, classNames: data.classNames }),
    isGuarded ? null : divergenceDoubt(history.map(({ loss }) => loss)),
    laggingDoubt(model, steps),
  ].filter((doubt) => doubt !== null);
}
