/**
 * Reverse-mode differentiation: while a tape runs, every operation on a tracked tensor is written down with what its
 * gradient needs; the gradients are then computed from the last entry to the first (Griewank and Walther, "Evaluating
 * Derivatives", 2008, chapter 3).
 */
import { ShapeError, TramaError } from "../errors.ts";
import type { MapFunction } from "./map.ts";
import { runMap } from "./run.ts";
import { formatShape, sameShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** Gradients for the tensor arguments of an operation, in their order; null for one that has none (labels, indices). */
export type Backward = (dy: Tensor, wants: readonly boolean[]) => readonly (Tensor | null)[];

interface Entry {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  /** Null for an operation that is declared not differentiable. */
  readonly backward: Backward | null;
}

export class Tape {
  readonly #tracked: Set<Tensor>;
  readonly #entries: Entry[] = [];

  constructor(variables: readonly Tensor[]) {
    this.#tracked = new Set(variables);
  }

  /** Whether a gradient may flow to this tensor. */
  tracks(tensor: Tensor): boolean {
    return this.#tracked.has(tensor);
  }

  record(op: string, inputs: readonly Tensor[], output: Tensor, backward: Backward | null): void {
    if (!inputs.some((input) => this.#tracked.has(input))) return;
    this.#tracked.add(output);
    this.#entries.push({ op, inputs, output, backward });
  }

  /** The gradients of `value` with respect to each variable; null where `value` does not depend on it. */
  gradients(value: Tensor, variables: readonly Tensor[], seed: Tensor): (Tensor | null)[] {
    const gradients = new Map<Tensor, Tensor>([[value, seed]]);
    for (const { op, inputs, output, backward } of [...this.#entries].reverse()) {
      const dy = gradients.get(output);
      if (!dy) continue;
      gradients.delete(output); // complete and used up; an operation that returns its own argument must not count it twice
      if (!backward) throw lostGradient(op);
      const wants = inputs.map((input) => this.#tracked.has(input));
      backward(dy, wants).forEach((dx, index) => {
        if (dx && wants[index]) accumulate(gradients, op, inputs[index]!, dx);
      });
    }
    return variables.map((variable) => gradients.get(variable) ?? null);
  }
}

const ACCUMULATE: MapFunction = { name: "accumulate", parameters: ["a", "b"], body: "a + b" };

function accumulate(gradients: Map<Tensor, Tensor>, op: string, input: Tensor, dx: Tensor): void {
  if (!sameShape(dx.shape, input.shape)) {
    const [expected, got] = [formatShape(input.shape), formatShape(dx.shape)];
    throw new ShapeError({ where: `gradient of ${op}`, expected, got, advice: "mend the operation's backward" });
  }
  const earlier = gradients.get(input);
  gradients.set(input, earlier ? runMap(ACCUMULATE, [earlier, dx], input.shape) : dx);
}

function lostGradient(op: string): TramaError {
  return new TramaError({
    where: op,
    expected: "no gradient to flow through it",
    got: "a loss that depends on a variable through it",
    advice: "it is not differentiable: take it out of the loss's path",
  });
}

/**
 * Runs `body`, which returns a scalar, and differentiates it with respect to `variables`. `seed`, a scalar, multiplies all
 * gradients (default: 1): a loss scale keeps small ones from vanishing in half precision.
 * Throws where a variable does not influence the value: a gradient never vanishes in silence.
 */
export function valueAndGradients(
  body: () => Tensor,
  variables: readonly Tensor[],
  seed?: Tensor,
): { value: Tensor; gradients: Tensor[] } {
  const [first] = variables;
  if (!first) throw new ShapeError({ where: "valueAndGradients", expected: "at least one variable", got: "none" });
  const { device } = first;
  const outer = device.tape;
  const tape = new Tape(variables);
  device.tape = tape;
  let value: Tensor;
  try {
    value = body();
  } finally {
    device.tape = outer; // backward operations are not recorded
  }
  if (value.size !== 1) {
    throw new ShapeError({
      where: "valueAndGradients",
      expected: "a scalar to differentiate",
      got: formatShape(value.shape),
      advice: "reduce it with sum or mean",
    });
  }
  const beginning = seed
    ? new Tensor(device, value.shape, seed.dtype, seed.storage, seed.byteOffset)
    : device.constant(1);
  const gradients = tape.gradients(value, variables, beginning).map((gradient, index) => {
    if (gradient) return gradient;
    throw new TramaError({
      where: "valueAndGradients",
      expected: "a value that depends on every variable",
      got: `no path from variable ${index} ${formatShape(variables[index]!.shape)}`,
      advice: "leave that variable out, or use it in the loss",
    });
  });
  return { value, gradients };
}
