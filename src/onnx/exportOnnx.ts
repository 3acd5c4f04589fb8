/**
 * Models as ONNX files, for other runtimes. Layers see images as `[height, width, channels]`; ONNX' convolutions want channels
 * first. Values keep whatever order they have until a node needs the other: a network of convolutions is transposed once,
 * before it is flattened, and not even there if its input or output has the order that is asked for.
 */
import { writeFileAtomic } from "#files";
import { FormatError, OptionError } from "../errors.ts";
import { channelNormalisation } from "../kernels/index.ts";
import type { Layer, LayerSummary, Model } from "../nn/index.ts";
import { bytesPerElement, sizeOf, type Shape } from "../tensor/index.ts";
import { VERSION } from "../weights/index.ts";
import { extentsOf, Graph, type Value } from "./graph.ts";
import { translations } from "./layers.ts";
import { encodeFile, IR_VERSION, OPSET, type Port } from "./messages.ts";
import { inOne, type Encoded } from "./protobuf.ts";
import type { Scope, Weights } from "./scope.ts";

export interface OnnxOptions {
  /**
   * Order of axes of images that go in, and of feature maps that come out: `nchw`, as most ONNX models have it, or `nhwc`, as
   * Trama and TensorFlow. Default: `nchw`.
   */
  readonly layout?: "nchw" | "nhwc";
  /**
   * Whether the file takes pixels (`uint8`, 0…255, red, green, blue) and normalises them itself, instead of what the first layer
   * sees (`float32`). Default: false.
   */
  readonly includePreprocessing?: boolean;
}

/** What was exported. */
export interface OnnxDescription {
  readonly opset: number;
  readonly irVersion: number;
  readonly input: Port;
  readonly output: Port;
  readonly nodes: number;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Protocol buffers cannot be longer; weights in files of their own are not written. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Writes a model as an ONNX file (opset 17), wholly or not at all. The batch is free, dropout is left out, batch norm uses its
 * moving statistics. Metadata of the file: `class_names`, `normalisation` (JSON), `layout`, `preprocessing`.
 * @param location path or `file:` URL. A page has no files: use `exportOnnxBytes`.
 * @throws {FormatError} for a layer without an ONNX form, or more than 2 GB of weights. @throws {FileError} when it cannot be written.
 */
export async function exportOnnx(
  model: Model,
  location: string | URL,
  options: OnnxOptions = {},
): Promise<OnnxDescription> {
  const { encoded, description } = await encode(model, options);
  await writeFileAtomic(location, encoded.pieces);
  return description;
}

/** What `exportOnnx` would write. */
export async function exportOnnxBytes(model: Model, options: OnnxOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const { encoded } = await encode(model, options);
  return inOne(encoded);
}

async function encode(model: Model, options: OnnxOptions): Promise<{ encoded: Encoded; description: OnnxDescription }> {
  const { layout = "nchw", includePreprocessing = false } = options;
  if (layout !== "nchw" && layout !== "nhwc") {
    throw new OptionError({ where: "exportOnnx", expected: "layout nchw or nhwc", got: JSON.stringify(layout) });
  }
  checkSize(model);
  const graph = new Graph();
  const first = layout === "nchw" && model.input.length === 3;
  const entrance: Value = { name: "input", shape: model.input, channelsFirst: first };
  const x = includePreprocessing ? normalised(graph, model, entrance) : entrance;
  const translated = translate(graph, model, await weightsOf(model), x);
  const wanted = layout === "nchw" && translated.shape.length === 3;
  const y = wanted ? graph.channelsFirst("output", translated) : graph.channelsLast("output", translated);
  const type = includePreprocessing ? "uint8" : "float32";
  const input: Port = {
    name: "input",
    type,
    shape: ["batch", ...extentsOf(entrance)],
    description: inputText(model, options),
  };
  const output: Port = {
    name: "output",
    type: "float32",
    shape: ["batch", ...extentsOf(y)],
    description: y.shape.length === 1 ? "one number for each class" : "features",
  };
  const metadata = {
    layout,
    preprocessing: includePreprocessing ? "included" : "none",
    normalisation: JSON.stringify(model.normalisation),
    class_names: JSON.stringify(model.classNames),
  };
  const nodes = renamed(graph, y.name, output.name);
  const encoded = encodeFile({
    name: model.architecture.name ?? model.architecture.kind,
    nodes,
    initialisers: graph.initialisers,
    input,
    output,
    producer: ["trama", VERSION],
    metadata,
  });
  if (encoded.length > MOST_BYTES) throw tooLarge(encoded.length);
  const bytes = encoded.length;
  return {
    encoded,
    description: { opset: OPSET, irVersion: IR_VERSION, input, output, nodes: nodes.length, bytes, metadata },
  };
}

/** The nodes, the last of which makes `output` instead of `value`. */
function renamed(graph: Graph, value: string, output: string): Graph["nodes"] {
  const made = graph.nodes.some((node) => node.output === value) ? value : graph.node(output, "Identity", [value]);
  const rename = (name: string): string => (name === made ? output : name);
  return graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename), output: rename(node.output) }));
}

function checkSize({ parameters }: Pick<Model, "parameters">): void {
  const bytes = parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0) * bytesPerElement("f32");
  if (bytes > MOST_BYTES) throw tooLarge(bytes);
}

function tooLarge(bytes: number): FormatError {
  return new FormatError({
    where: "exportOnnx",
    expected: `at most ${MOST_BYTES} bytes, which is all that an ONNX file can hold`,
    got: `${bytes}`,
    advice: "export a smaller model",
  });
}

async function weightsOf({ device, parameters }: Model): Promise<ReadonlyMap<string, Weights>> {
  const values = await device.readMany(parameters.map(({ tensor }) => tensor));
  return new Map(parameters.map(({ name, shape }, k) => [name, { shape, values: values[k] as Float32Array }]));
}

/** Walks the layers as they were built: a model's summaries come in the same order, and have their names. */
function translate(graph: Graph, model: Model, weights: ReadonlyMap<string, Weights>, input: Value): Value {
  const summaries = model.summaries[Symbol.iterator]();
  const visit = (layer: Layer, x: Value, path: string, output: Shape): Value => {
    const inside = (name: string): string => (path === "" ? name : `${path}/${name}`);
    const scope: Scope = {
      graph,
      path,
      output,
      parameter: (name) => weights.get(inside(name)),
      inner(child, value) {
        const { name, output: made } = summaries.next().value as LayerSummary;
        return visit(child, value, inside(name), made);
      },
    };
    return translationOf(layer, path)(scope, x, layer);
  };
  return visit(model.architecture, input, "", model.output);
}

function translationOf({ kind }: Layer, path: string) {
  if (Object.hasOwn(translations, kind)) return translations[kind]!;
  throw new FormatError({
    where: path === "" ? "exportOnnx" : `layer "${path}"`,
    expected: `a layer that ONNX has a form for: ${Object.keys(translations).join(", ")}`,
    got: kind,
  });
}

/** Pixels as the first layer sees them: p/255 · scale + shift in every channel. */
function normalised(graph: Graph, { input, normalisation }: Model, x: Value): Value {
  const channels = input.at(-1) ?? 1;
  const { scale, shift, reversed } = channelNormalisation("exportOnnx", normalisation, channels);
  const shape = x.channelsFirst ? [channels, ...input.slice(0, -1).map(() => 1)] : [channels];
  const path = "preprocessing";
  let name = graph.node(path, "Cast", [x.name], { to: 1 });
  if (reversed) {
    const order = graph.integers(path, "order", [2, 1, 0]);
    name = graph.node(path, "Gather", [name, order], { axis: x.channelsFirst ? 1 : input.length });
  }
  const factors = Float32Array.from(scale, (value) => value / 255);
  name = graph.node(path, "Mul", [name, graph.floats(path, "scale", factors, shape)]);
  name = graph.node(path, "Add", [name, graph.floats(path, "shift", Float32Array.from(shift), shape)]);
  return { ...x, name };
}

function inputText({ normalisation }: Model, { includePreprocessing = false }: OnnxOptions): string {
  if (includePreprocessing) return "pixels in 0…255";
  const rule = "mean" in normalisation ? "(p · white/255 − mean) / std, white 255 by default" : "p/255 · scale + shift";
  return `pixels p in 0…255, normalised: ${rule}, with ${JSON.stringify(normalisation)}`;
}
