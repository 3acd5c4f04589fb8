/**
 * PyTorch's convention: paths with dots, output features first, channels before height and width.
 *
 *   convolution  [out, in, height, width]    → [height, width, in, out]
 *   depthwise    [c·m, 1, height, width]     → [height, width, c, m]
 *   linear       [out, in]                   → [in, out]
 *
 * A linear layer after a flatten has its inputs in the order channel, row, column, and ours has row, column, channel.
 */
import { permuted } from "../strided.ts";
import { sameUpToOnes, type Convention, type NameMap } from "./nameMap.ts";

/** Parts of a normalisation, whose weight is a vector. */
const NORM: Readonly<Record<string, string | null>> = {
  weight: "gamma",
  bias: "beta",
  running_mean: "moving_mean",
  running_var: "moving_variance",
  num_batches_tracked: null,
};

const convention: Convention = {
  name: "PyTorch",
  separator: ".",
  part(name, layer) {
    const isNorm = layer.has("running_mean") || layer.get("weight")?.shape.length === 1;
    if (isNorm) return Object.hasOwn(NORM, name) ? NORM[name]! : name;
    return name === "weight" ? "kernel" : name;
  },
  view(theirs, ours, features) {
    if (features !== undefined) return afterFlatten(theirs, features);
    const [out, inputs, height, width] = theirs as [number, number, number, number];
    const [channels, multiplier] = ours.slice(2) as [number, number];
    if (theirs.length === 4 && ours.length === 4 && inputs === 1 && channels * multiplier === out) {
      const isSame = ours[0] === height && ours[1] === width;
      return isSame ? permuted([channels, multiplier, height, width], [2, 3, 0, 1]) : undefined;
    }
    // Space, then inputs, then outputs; for a linear layer there is no space, and a vector stays.
    const space = [...theirs.keys()].slice(2);
    const view = permuted(theirs, theirs.length < 2 ? [...theirs.keys()] : [...space, 1, 0]);
    return sameUpToOnes(view.shape, ours) ? view : undefined;
  },
};

/** A linear layer's kernel `[out, in]`, or a vector over its inputs. */
function afterFlatten(theirs: readonly number[], features: readonly number[]): ReturnType<Convention["view"]> {
  const [height, width, channels] = features as [number, number, number];
  const inputs = theirs.at(-1);
  if (inputs !== height * width * channels) return undefined;
  const place = [width, 1, height * width];
  if (theirs.length === 1) return { shape: features, strides: place };
  return { shape: [...features, theirs[0]!], strides: [...place, inputs] };
}

/** Names as they are in PyTorch, with slashes for dots: for models whose layers are called like the modules. */
export const torch: NameMap = { name: "PyTorch", convention, rules: [] };
