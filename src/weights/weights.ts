/** Tensors of a file into the parameters of a model: all of them, of the right shapes, or none. */
import { FormatError, ShapeError } from "../errors.ts";
import type { Model, Parameter } from "../nn/index.ts";
import { formatShape, sameShape } from "../tensor/index.ts";
import { floatsOf, type StoredTensor } from "./dtypes.ts";

type Wanted = Pick<Parameter, "name" | "shape">;

/** Names listed in one error; a file of another network would fill the screen. */
const MAX_LISTED = 6;

/**
 * Throws unless the file has exactly the tensors that the parameters ask for.
 * @throws {FormatError} listing what is missing, unexpected and of another shape.
 * @throws {ShapeError} when all names fit, but shapes differ.
 */
export function requireFit(wanted: readonly Wanted[], stored: ReadonlyMap<string, StoredTensor>, file: string): void {
  const names = new Set(wanted.map(({ name }) => name));
  const missing = wanted.filter(({ name }) => !stored.has(name)).map(inWords);
  const unexpected = [...stored.values()].filter(({ name }) => !names.has(name)).map(inWords);
  const mismatched = wanted.flatMap((parameter) => misfit(parameter, stored.get(parameter.name)));
  const got = [listed("missing", missing), listed("unexpected", unexpected), listed("of another shape", mismatched)];
  if (got.every((list) => list === "")) return;
  const Kind = missing.length + unexpected.length > 0 ? FormatError : ShapeError;
  throw new Kind({
    where: file,
    expected: `the ${wanted.length} tensors of this model`,
    got: got.filter((list) => list !== "").join("; "),
    advice:
      "the file belongs to another architecture: load it with load(device, file), or build the model that it was saved from",
  });
}

/** Writes the tensors into the model's parameters; call `requireFit` first. */
export function fill(model: Model, stored: ReadonlyMap<string, StoredTensor>, file: string): void {
  // All is converted before anything is written, so that a tensor of a wrong dtype leaves the model as it was.
  const values = model.parameters.map(({ name }) => floatsOf(stored.get(name)!, file));
  model.parameters.forEach(({ tensor }, index) => model.device.write(tensor, values[index]!));
}

function misfit({ name, shape }: Wanted, tensor: StoredTensor | undefined): string[] {
  if (tensor === undefined || sameShape(tensor.shape, shape)) return [];
  return [`${name} ${formatShape(tensor.shape)} for ${formatShape(shape)}`];
}

function inWords({ name, shape }: Wanted): string {
  return `${name} ${formatShape(shape)}`;
}

function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  const rest = names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : "";
  return `${what}: ${names.slice(0, MAX_LISTED).join(", ")}${rest}`;
}
