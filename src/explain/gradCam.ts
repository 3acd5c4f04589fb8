/**
 * Grad-CAM (Selvaraju et al. 2017): where a layer sees what speaks for a class.
 *
 *   α_k = 1/Z Σ_ij ∂y/∂A_k[i, j]            (equation 1: how much feature k matters to the class's score y)
 *   map = ReLU( Σ_k α_k A_k )                (equation 2)
 *
 * The layer's activations A are found by one run, and stand in for what the layer makes in a second, which is the one that
 * is differentiated. Compiled, each run keeps only the part that the other lacks, so that nothing is computed twice.
 */
import { OptionError } from "../errors.ts";
import { mean, mul, relu, sum } from "../kernels/index.ts";
import type { Model } from "../nn/index.ts";
import { valueAndGradients, type Tensor } from "../tensor/index.ts";
import { compileRows } from "./rows.ts";
import { batchSizeOf, chosenScore, examine, inference } from "./subject.ts";
import type { ExplainOptions, Explanation, Inputs } from "./subject.ts";

export interface GradCamOptions extends ExplainOptions {
  /** Path of a layer that makes feature maps, `[height, width, channels]`: `block/conv2d`. Default: the last but for poolings. */
  readonly layer?: string;
}

export interface GradCam extends Explanation {
  /** Path of the layer whose activations were weighed. */
  readonly layer: string;
}

/**
 * Explains each input by the activations of a layer.
 * @returns for each input a map of the size of the layer's feature maps, of values ≥ 0.
 * @throws {OptionError} for a layer or class that there is not. @throws {ShapeError} for inputs of another size.
 */
export async function gradCam(model: Model, inputs: Inputs, options: GradCamOptions = {}): Promise<GradCam[]> {
  const subjects = await examine("gradCam", model, inputs, options);
  const batchSize = Math.min(batchSizeOf("gradCam", options), subjects.length);
  let layer = "";
  let size: readonly [number, number] = [1, 1];
  const program = await compileRows(model.device, batchSize, [model.input, model.output], (x, choice) => {
    const { path, output } = featureMap(model, x, options.layer);
    layer = path;
    size = [output.shape[1]!, output.shape[2]!];
    return [weighed(model, x, choice, path, output)];
  });
  const maps: Float32Array[] = [];
  try {
    await program.run(
      subjects.length,
      (k, [x, choice]) => {
        x!.set(subjects[k]!.x);
        choice![subjects[k]!.class] = 1;
      },
      (_, [map]) => maps.push(map!),
    );
  } finally {
    program.dispose();
  }
  const [height, width] = size;
  return subjects.map(({ class: chosen, score, probability }, k) => {
    return { layer, class: chosen, score, probability, map: { values: maps[k]!, height, width } };
  });
}

/** Equations 1 and 2 for a batch: `[batch, height, width]`. */
function weighed(model: Model, x: Tensor, choice: Tensor, path: string, activations: Tensor): Tensor {
  const { gradients } = valueAndGradients(() => {
    const scores = model.call(
      x,
      inference((y, layer) => (layer.path === path ? activations : y)),
    );
    return chosenScore(scores, choice);
  }, [activations]);
  const weights = mean(gradients[0]!, { axes: [1, 2], keepDims: true });
  return relu(sum(mul(activations, weights), { axes: [3] }));
}

interface Activations {
  readonly path: string;
  readonly output: Tensor;
}

/** What the named layer makes of `x`, or the last one whose result still has places in it. */
function featureMap(model: Model, x: Tensor, wanted: string | undefined): Activations {
  const found: Activations[] = [];
  const pooled = new Set<Tensor>();
  model.call(
    x,
    inference((output, { path, kind }) => {
      if (/pool/i.test(kind)) pooled.add(output);
      const [, height = 1, width = 1, channels] = output.shape;
      if (channels !== undefined && output.shape.length === 4 && height * width > 1) found.push({ path, output });
      return output;
    }),
  );
  // A block hands on what its last layer made: the maker's name is the first.
  const last = found.findLast(({ output }) => !pooled.has(output))?.output;
  const chosen = found.find(({ path, output }) => (wanted === undefined ? output === last : path === wanted));
  if (chosen) return chosen;
  throw new OptionError({
    where: "gradCam",
    expected:
      found.length > 0
        ? `a layer with a feature map: ${found.map(({ path }) => path).join(", ")}`
        : "a model with a layer that makes feature maps [height, width, channels]",
    got: wanted === undefined ? "none" : JSON.stringify(wanted),
  });
}
