/**
 * Every error that Trama raises on purpose, one class a cause, each saying four things:
 * the operation, what it expected, what it got, and what to do about it.
 */

/** The four parts of an error. `advice` is one imperative sentence without a final full stop. */
export interface Complaint {
  /** The operation, layer or file that refuses, as the user knows it: `conv2d`, `layer "dense_1"`, `train-images.gz`. */
  readonly where: string;
  readonly expected: string;
  readonly got: string;
  readonly advice?: string;
}

/** Base class: `error instanceof TramaError` separates a refusal, which is explained, from a fault, which is not. */
export class TramaError extends Error implements Complaint {
  override readonly name: string = "TramaError";
  readonly where: string;
  readonly expected: string;
  readonly got: string;
  declare readonly advice?: string;

  constructor(complaint: Complaint, options?: ErrorOptions) {
    const { where, expected, got, advice } = complaint;
    super(`${where}: expected ${expected}, got ${got}${advice === undefined ? "" : `; ${advice}`}`, options);
    this.where = where;
    this.expected = expected;
    this.got = got;
    if (advice !== undefined) this.advice = advice;
  }
}

/** A tensor, layer or option has a shape that the operation cannot take. */
export class ShapeError extends TramaError {
  override readonly name = "ShapeError";
}

/** A tensor has an element type that the operation cannot take. */
export class DtypeError extends TramaError {
  override readonly name = "DtypeError";
}

/** No adapter, an adapter too small for the job, a lost device, a kernel that does not compile. */
export class DeviceError extends TramaError {
  override readonly name = "DeviceError";
}

/** A data set is missing, incomplete, or not what it claims to be; a label is out of range. */
export class DataError extends TramaError {
  override readonly name = "DataError";
}

/** A file does not follow its format: truncated, wrong magic number, absurd sizes. */
export class FormatError extends TramaError {
  override readonly name = "FormatError";
}

/** An option or argument of the caller's makes no sense by itself, whatever the data. */
export class OptionError extends TramaError {
  override readonly name = "OptionError";
}

/** A computation produced NaN or infinity where it must not. */
export class NumericError extends TramaError {
  override readonly name = "NumericError";
}
