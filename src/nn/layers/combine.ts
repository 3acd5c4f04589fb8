/**
 * Layers side by side: every branch gets the same input, and their results are joined. Residual blocks are
 * `add([identity(), block])`, dense blocks `concat([identity(), block])`, gates `multiply([identity(), gate])`.
 */
import { OptionError, ShapeError } from "../../errors.ts";
import { add as sumOf, concat as join, mul } from "../../kernels/index.ts";
import { formatShape, normaliseAxes, sameShape, type Shape, type Tensor } from "../../tensor/index.ts";
import { configOf, type Layer } from "../layer.ts";

export interface BranchesOptions {
  readonly name?: string;
}

interface Combination {
  readonly kind: string;
  /** What branches must agree in, for the error. */
  readonly expected: string;
  /** The shape of two results joined (without the batch), or null where they do not fit. */
  readonly shape: (a: Shape, b: Shape) => Shape | null;
  readonly join: (values: readonly Tensor[]) => Tensor;
}

function combine(
  { kind, expected, shape, join: joinValues }: Combination,
  branches: readonly Layer[],
  options: BranchesOptions,
): Layer {
  return {
    kind,
    name: options.name,
    config: configOf({ ...options }),
    children: branches,
    build(input, builder) {
      if (branches.length === 0) throw new OptionError({ where: kind, expected: "at least one branch", got: "none" });
      const built = branches.map((branch) => builder.build(branch, input));
      const output = built
        .map((branch) => branch.output)
        .reduce((a, b) => {
          const joined = shape(a, b);
          if (joined) return joined;
          throw new ShapeError({ where: kind, expected, got: `${formatShape(a)} and ${formatShape(b)}` });
        });
      return { output, call: (x, context) => joinValues(built.map(({ call }) => call(x, context))) };
    },
  };
}

/** The sum of its branches, which must be of one shape. */
export function add(branches: readonly Layer[], options: BranchesOptions = {}): Layer {
  return combine(
    {
      kind: "add",
      expected: "branches of one shape",
      shape: (a, b) => (sameShape(a, b) ? a : null),
      join: (values) => values.reduce((a, b) => sumOf(a, b)),
    },
    branches,
    options,
  );
}

/** The product of its branches, element by element. Axes of extent 1 stretch: a gate may have one value a channel. */
export function multiply(branches: readonly Layer[], options: BranchesOptions = {}): Layer {
  const fits = (a: Shape, b: Shape) =>
    a.length === b.length && a.every((extent, axis) => extent === b[axis] || extent === 1 || b[axis] === 1);
  return combine(
    {
      kind: "multiply",
      expected: "branches of one shape, but for axes of extent 1",
      shape: (a, b) => (fits(a, b) ? a.map((extent, axis) => Math.max(extent, b[axis]!)) : null),
      join: (values) => values.reduce((a, b) => mul(a, b)),
    },
    branches,
    options,
  );
}

export interface ConcatOptions extends BranchesOptions {
  /** Of a result without the batch. Default: −1, the channels. */
  readonly axis?: number;
}

/** The results of its branches one behind the other along `axis`; all other axes must agree. */
export function concat(branches: readonly Layer[], options: ConcatOptions = {}): Layer {
  const { axis = -1 } = options;
  return combine(
    {
      kind: "concat",
      expected: `branches that differ along axis ${axis} only`,
      shape(a, b) {
        const [along] = normaliseAxes("concat", [axis], a.length);
        const agree = a.length === b.length && a.every((extent, k) => k === along || extent === b[k]);
        return agree ? a.map((extent, k) => (k === along ? extent + b[k]! : extent)) : null;
      },
      join: (values) => join(values, axis < 0 ? axis : axis + 1),
    },
    branches,
    options,
  );
}

/** Hands its input on: the shortcut of a residual block. */
export function identity(options: { readonly name?: string } = {}): Layer {
  return {
    kind: "identity",
    name: options.name,
    config: configOf({ ...options }),
    children: [],
    build: (input) => ({ output: input, call: (x) => x }),
  };
}
