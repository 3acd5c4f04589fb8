/**
 * The weights in what `torch.save` was given: a state dictionary, or a checkpoint that has one among its values. What is
 * opened, taken off or left out on the way is said.
 */
import { FormatError } from "../../errors.ts";
import { inBrief } from "./pickle.ts";

export interface FoundWeights<T> {
  readonly tensors: ReadonlyMap<string, T>;
  /** Names of what lies beside the weights, or among them without being a tensor. */
  readonly skipped: readonly string[];
  readonly notes: readonly string[];
}

type IsTensor<T> = (value: unknown) => value is T;
type Dictionary = ReadonlyMap<unknown, unknown>;

/** A dictionary that has tensors among its values, and how one gets there. */
interface Place {
  readonly dictionary: Dictionary;
  readonly path: readonly string[];
  /** The dictionaries that it lies in, from outside in. */
  readonly parents: readonly Dictionary[];
}

/** Keys under which training programs keep the weights, the likeliest first. */
const WRAPPERS = [
  "state_dict",
  "model_state_dict",
  "model_state",
  "model",
  "network",
  "net",
  "module",
  "weights",
  "params",
];
/** What `DataParallel` and `torch.compile` put before every name, in either order. */
const PREFIXES = ["_orig_mod.", "module.", "_orig_mod."];
/** No program wraps its weights deeper. */
const MAX_DEPTH = 4;
const MAX_LISTED = 6;

/** @throws {FormatError} when there are no weights, or several that could be meant. */
export function findWeights<T>(value: unknown, isTensor: IsTensor<T>, file: string): FoundWeights<T> {
  const places = dictionariesOf(value, isTensor);
  const chosen = choose(places);
  if (chosen === undefined) throw undecided(places, file);
  const { dictionary, path } = chosen;
  const skipped = siblingsOf(chosen);
  const tensors = new Map<string, T>();
  for (const [key, tensor] of dictionary) {
    if (typeof key === "string" && isTensor(tensor)) tensors.set(key, tensor);
    else skipped.push([...path, inBrief(key)].join("."));
  }
  const notes = path.length > 0 ? [`weights found under "${path.join(".")}"`] : [];
  return { ...withoutPrefixes(tensors, notes), skipped };
}

/** Breadth first, and each dictionary once: a pickle may hold one in itself, or at a thousand places. */
function dictionariesOf<T>(value: unknown, isTensor: IsTensor<T>): Place[] {
  const seen = new Set<unknown>();
  const places: Place[] = [];
  let level: Place[] = value instanceof Map ? [{ dictionary: value, path: [], parents: [] }] : [];
  for (let depth = 0; depth <= MAX_DEPTH && level.length > 0; depth++) {
    const next: Place[] = [];
    for (const place of level) {
      if (seen.has(place.dictionary)) continue;
      seen.add(place.dictionary);
      if ([...place.dictionary.values()].some(isTensor)) {
        places.push(place);
        continue;
      }
      const parents = [...place.parents, place.dictionary];
      for (const [key, inner] of place.dictionary) {
        if (inner instanceof Map) next.push({ dictionary: inner, path: [...place.path, inBrief(key)], parents });
      }
    }
    level = next;
  }
  return places;
}

/** The only one, else the one behind the likeliest keys. Optimizers keep tensors, too, under keys of their own. */
function choose(places: readonly Place[]): Place | undefined {
  if (places.length === 1) return places[0];
  const wrapped = places.filter(({ path }) => path.every((key) => WRAPPERS.includes(key)));
  const rank = ({ path }: Place): number => path.reduce((sum, key) => sum * WRAPPERS.length + WRAPPERS.indexOf(key), 0);
  return wrapped.sort((a, b) => a.path.length - b.path.length || rank(a) - rank(b))[0];
}

function undecided(places: readonly Place[], file: string): FormatError {
  const names = places.slice(0, MAX_LISTED).map(({ path }) => `"${path.join(".")}"`);
  const rest = places.length > MAX_LISTED ? ` and ${places.length - MAX_LISTED} more` : "";
  return new FormatError({
    where: file,
    expected: "a state dictionary, alone or under a key such as state_dict or model",
    got: places.length === 0 ? "no dictionary with tensors" : `tensors under ${names.join(", ")}${rest}`,
    advice: "save the one dictionary that is meant: torch.save(model.state_dict(), file)",
  });
}

/** What lies beside the way to a place, by its full name. */
function siblingsOf({ dictionary, path, parents }: Place): string[] {
  return parents.flatMap((parent, depth) => {
    const taken = parents[depth + 1] ?? dictionary;
    const others = [...parent].filter(([, value]) => value !== taken);
    return others.map(([key]) => [...path.slice(0, depth), inBrief(key)].join("."));
  });
}

function withoutPrefixes<T>(
  found: ReadonlyMap<string, T>,
  before: readonly string[],
): Pick<FoundWeights<T>, "tensors" | "notes"> {
  const notes = [...before];
  let tensors = found;
  for (const prefix of PREFIXES) {
    if (tensors.size === 0 || ![...tensors.keys()].every((name) => name.startsWith(prefix))) continue;
    tensors = new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor]));
    notes.push(`"${prefix}" taken off every name`);
  }
  return { tensors, notes };
}
