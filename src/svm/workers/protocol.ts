/** Messages between a pool and its workers, and errors that survive the crossing with their type and four parts. */
import * as errors from "../../errors.ts";
import type { SharedArrays } from "./job.ts";

export type ToWorker =
  | { readonly kind: "share"; readonly arrays: SharedArrays }
  | { readonly kind: "run"; readonly id: number; readonly job: string; readonly input: unknown };

export type FromWorker =
  | { readonly kind: "progress"; readonly id: number; readonly fraction: number; readonly detail: string }
  | { readonly kind: "done"; readonly id: number; readonly output: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: FlatError };

/** An error as plain data: structured cloning keeps neither class nor fields. */
export interface FlatError {
  readonly name: string;
  readonly message: string;
  readonly complaint?: errors.Complaint;
}

export function flattenError(error: unknown): FlatError {
  if (error instanceof errors.TramaError) {
    const { name, message, where, expected, got, advice } = error;
    return { name, message, complaint: { where, expected, got, ...(advice === undefined ? {} : { advice }) } };
  }
  if (error instanceof Error) return { name: error.name, message: error.stack ?? error.message };
  return { name: "Error", message: String(error) };
}

export function restoreError(flat: FlatError): Error {
  if (flat.complaint === undefined) return Object.assign(new Error(flat.message), { name: flat.name });
  const classes = [
    errors.ShapeError,
    errors.DataError,
    errors.OptionError,
    errors.NumericError,
    errors.DtypeError,
    errors.FormatError,
  ];
  const same = classes
    .map((Class) => new Class(flat.complaint as errors.Complaint))
    .find(({ name }) => name === flat.name);
  return same ?? new errors.TramaError(flat.complaint);
}
