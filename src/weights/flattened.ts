/** Where a model flattens pictures into vectors: the order of what follows depends on the program. */
import type { Model } from "../nn/index.ts";
import { sizeOf, type Shape } from "../tensor/index.ts";

/**
 * Parameters whose first axis runs over a flattened `[height, width, channels]`, and that shape. Found by walking the
 * layers in order: it holds for models that flatten what the layer before gives.
 */
export function flattenedInputs(model: Pick<Model, "input" | "parameters" | "summaries">): ReadonlyMap<string, Shape> {
  const { parameters, summaries } = model;
  const found = new Map<string, Shape>();
  const path: string[] = [];
  let before: Shape = model.input;
  let features: Shape | undefined;
  summaries.forEach(({ name, kind, depth, output }, index) => {
    path.splice(depth, path.length, name);
    // A layer with layers inside says what the last of them says.
    if ((summaries[index + 1]?.depth ?? 0) > depth) return;
    const isFlat = output.length === 1;
    if (isFlat && before.length === 3 && output[0] === sizeOf(before)) features = before;
    else if (!isFlat) features = undefined;
    before = output;
    if (features === undefined) return;
    const own = parameters.filter((parameter) => parameter.name.startsWith(`${path.join("/")}/`));
    for (const parameter of own) {
      // A dense layer takes the features in by its kernel, others keep them in their place.
      const takes = kind === "dense" ? parameter.name.endsWith("/kernel") : parameter.shape.length === 1;
      if (takes && parameter.shape[0] === sizeOf(features)) found.set(parameter.name, features);
    }
    if (kind === "dense") features = undefined;
  });
  return found;
}
