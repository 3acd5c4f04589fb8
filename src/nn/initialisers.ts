/** Initial values of parameters: pure functions of shape and random stream, so that a seed fixes them everywhere. */
import type { RandomStream, Shape } from "../tensor/index.ts";
import { sizeOf } from "../tensor/index.ts";

export type Initialiser = (shape: Shape, random: RandomStream) => Float32Array<ArrayBuffer>;

/** Values that one unit sees and that see it: of `[…receptive field, in, out]`, the field times in and times out. */
function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const field = sizeOf(shape.slice(0, -2));
  return { fanIn: field * (shape.at(-2) ?? 1), fanOut: field * (shape.at(-1) ?? 1) };
}

function fill(shape: Shape, draw: () => number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: sizeOf(shape) }, draw);
}

/** Uniform in ±√(6 / (fanIn + fanOut)): Glorot and Bengio 2010, equation 16. Keras' default. */
export const glorotUniform: Initialiser = (shape, random) => {
  const { fanIn, fanOut } = fans(shape);
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  return fill(shape, () => (2 * random.uniform() - 1) * limit);
};

/** Normal of variance 2 / fanIn: He et al. 2015, equation 10, for layers followed by ReLU. */
export const heNormal: Initialiser = (shape, random) => {
  const deviation = Math.sqrt(2 / fans(shape).fanIn);
  return fill(shape, () => random.normal() * deviation);
};

export const zeros: Initialiser = (shape) => new Float32Array(sizeOf(shape));

export const ones: Initialiser = (shape) => new Float32Array(sizeOf(shape)).fill(1);

/** Initialisers by the names that layers and model files use. */
export const initialisers = { glorotUniform, heNormal, zeros, ones } as const;

export type InitialiserName = keyof typeof initialisers;
