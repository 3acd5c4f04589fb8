/** What the parts of a Keras layer are called, when its file does not say. */

/** Names that Keras gives to weights; their last segment is enough, and TensorFlow numbers them (`:0`). */
const PARTS = new Set([
  "kernel",
  "bias",
  "gamma",
  "beta",
  "moving_mean",
  "moving_variance",
  "depthwise_kernel",
  "pointwise_kernel",
  "recurrent_kernel",
  "embeddings",
  "alpha",
]);

/**
 * The parts of one layer, in the order of its file.
 * @param names of the variables. Those of a model inside a model keep their path; names that say nothing are replaced by
 * what the shapes tell.
 */
export function partNames(names: readonly string[], shapes: readonly (readonly number[])[]): readonly string[] {
  const paths = names.map((name) => name.replace(/:\d+$/, ""));
  const parts = paths.map((path) => path.slice(path.lastIndexOf("/") + 1));
  if (parts.every((part) => PARTS.has(part))) {
    // Layers of an inner model repeat their parts; a layer of its own has each once.
    return new Set(parts).size === parts.length ? parts : paths;
  }
  return partsByShape(shapes);
}

/**
 * Keras lists kernels first, then the bias, and a batch norm's four vectors in this order; of three, the scale is missing.
 */
function partsByShape(shapes: readonly (readonly number[])[]): readonly string[] {
  const kernels = shapes.filter((shape) => shape.length > 1).length;
  const vectors = shapes.length - kernels;
  const norm = ["gamma", "beta", "moving_mean", "moving_variance"];
  const named = [
    ...(kernels === 2 ? ["depthwise_kernel", "pointwise_kernel"] : ["kernel"].slice(0, kernels)),
    ...(kernels > 0 ? ["bias"] : vectors === 3 ? norm.slice(1) : norm).slice(0, vectors),
  ];
  return shapes.map((_, index) => named[index] ?? `vars/${index}`);
}

interface LayerConfig {
  readonly class_name?: unknown;
  readonly config?: { readonly name?: unknown; readonly layers?: unknown };
}

/**
 * The layers' own names by those that Keras 3 saves them under: class and number, counted in the model's order.
 * @param config JSON of the model; what it lacks is left as it is.
 */
export function classNames(config: string | undefined): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  if (config === undefined) return names;
  try {
    collect(JSON.parse(config) as LayerConfig, "", names);
  } catch {
    // The weights can do without it.
  }
  return names;
}

function collect(model: LayerConfig, path: string, names: Map<string, string>): void {
  const layers = Array.isArray(model.config?.layers) ? (model.config.layers as LayerConfig[]) : [];
  const counts = new Map<string, number>();
  for (const layer of layers) {
    const kind = snakeCase(String(layer.class_name));
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    const key = `${path}${count === 0 ? kind : `${kind}_${count}`}`;
    if (typeof layer.config?.name === "string") names.set(key, layer.config.name);
    collect(layer, `${key}/`, names);
  }
}

/** `BatchNormalization` → `batch_normalization`, `Conv2D` → `conv2d`. */
function snakeCase(name: string): string {
  return name
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
