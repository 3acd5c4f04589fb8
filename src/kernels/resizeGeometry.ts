/**
 * Where the pixels of a resized image lie on the image that it is made from.
 *
 *   half-pixel      (o + ½) · in / out − ½      pixels are areas; their centres lie at ½: TensorFlow 2, PyTorch
 *   align-corners   o · (in − 1) / (out − 1)    pixels are points; the corners coincide
 *   asymmetric      o · in / out                TensorFlow 1, and PyTorch's and Keras' `nearest`
 *
 * As a fraction (a·o + b) / d of integers: which neighbours a place lies between, and for which o it lies between two given
 * ones, is then exact at any scale.
 */
import { OptionError, ShapeError } from "../errors.ts";
import { formatShape, type Shape } from "../tensor/index.ts";
import { checkImages } from "./geometry.ts";

export type ResizeConvention = "halfPixel" | "alignCorners" | "asymmetric";

/** The place of output pixel o is (a·o + b) / d. */
export interface Fraction {
  readonly a: number;
  readonly b: number;
  readonly d: number;
}

/** Places along an axis of `input` pixels that becomes one of `output`. */
export function places(convention: ResizeConvention, input: number, output: number): Fraction {
  switch (convention) {
    case "halfPixel":
      return { a: 2 * input, b: input - output, d: 2 * output };
    case "asymmetric":
      return { a: input, b: 0, d: output };
    case "alignCorners":
      // Everything lies at 0; below ½ will do, and it grows with o, so that it can be inverted.
      if (input === 1 || output === 1) return { a: 1, b: 0, d: 2 * output };
      return { a: input - 1, b: 0, d: output - 1 };
  }
}

const CONVENTIONS: readonly string[] = ["halfPixel", "alignCorners", "asymmetric"] satisfies ResizeConvention[];

/** Throws unless `x` is an image batch, `size` two extents and `convention` one of the three. */
export function checkResize(where: string, x: Shape, size: readonly number[], convention: string = "halfPixel"): void {
  checkImages(where, x);
  if (size.length !== 2 || !size.every((extent) => Number.isInteger(extent) && extent > 0)) {
    throw new ShapeError({
      where,
      expected: "a size [height, width] of positive whole numbers",
      got: formatShape(size),
    });
  }
  if (!CONVENTIONS.includes(convention)) {
    throw new OptionError({ where, expected: `a convention among ${CONVENTIONS.join(", ")}`, got: convention });
  }
}
