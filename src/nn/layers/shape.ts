/** Layers that change nothing but the shape. */
import { OptionError, ShapeError } from "../../errors.ts";
import { pad, reshape as view } from "../../kernels/index.ts";
import { formatShape, sizeOf, type Shape } from "../../tensor/index.ts";
import { configOf, expectRank, type Layer } from "../layer.ts";

/** Any shape → `[features]`. */
export function flatten(options: { readonly name?: string } = {}): Layer {
  return {
    kind: "flatten",
    name: options.name,
    config: configOf({ ...options }),
    children: [],
    build(input) {
      const output = [sizeOf(input)];
      return { output, call: (x) => view(x, [x.shape[0]!, ...output]) };
    },
  };
}

/** Any shape → `shape` (without the batch), of as many elements. One extent may be −1 and is then worked out. */
export function reshape(shape: Shape, options: { readonly name?: string } = {}): Layer {
  return {
    kind: "reshape",
    name: options.name,
    config: configOf({ shape, ...options }),
    children: [],
    build(input) {
      const known = shape.filter((extent) => extent !== -1);
      const output = shape.map((extent) => (extent === -1 ? sizeOf(input) / sizeOf(known) : extent));
      const whole = output.every((extent) => Number.isInteger(extent) && extent > 0);
      if (!whole || shape.length > known.length + 1 || sizeOf(output) !== sizeOf(input)) {
        throw new ShapeError({
          where: "reshape",
          expected: `a shape of ${sizeOf(input)} elements, with at most one −1, for an input ${formatShape(input)}`,
          got: formatShape(shape),
        });
      }
      return { output, call: (x) => view(x, [x.shape[0]!, ...output]) };
    },
  };
}

/** Rows and columns of zeros on every side, or `[[top, bottom], [left, right]]`. */
export type ZeroPadding = number | readonly [readonly [number, number], readonly [number, number]];

/** Surrounds images with zeros: `[height, width, channels]` → `[height′, width′, channels]`. */
export function zeroPad2d(padding: ZeroPadding, options: { readonly name?: string } = {}): Layer {
  return {
    kind: "zeroPad2d",
    name: options.name,
    config: configOf({ padding, ...options }),
    children: [],
    build(input) {
      expectRank("zeroPad2d", input, 3, "[height, width, channels]");
      const [rows, columns] = sides(padding);
      const [height, width, channels] = input as [number, number, number];
      return {
        output: [height + rows[0] + rows[1], width + columns[0] + columns[1], channels],
        call: (x) => pad(x, [[0, 0], rows, columns, [0, 0]]),
      };
    },
  };
}

function sides(padding: ZeroPadding): readonly [readonly [number, number], readonly [number, number]] {
  const both = typeof padding === "number" ? ([[padding, padding], [padding, padding]] as const) : padding; // prettier-ignore
  const widths = Array.isArray(both) && both.length === 2 ? both.flat() : [];
  if (widths.length === 4 && widths.every((width) => Number.isInteger(width) && width >= 0)) return both;
  throw new OptionError({
    where: "zeroPad2d",
    expected: "a whole number ≥ 0, or [[top, bottom], [left, right]]",
    got: JSON.stringify(padding),
  });
}
