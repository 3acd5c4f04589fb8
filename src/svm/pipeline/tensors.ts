/**
 * A pipeline as named arrays and JSON, and back: what a safetensors file and its metadata hold.
 *
 * Why not a file: writing safetensors belongs to `src/weights`, which this folder does not know. Whoever knows both
 * (the CLI) joins them. Every array keeps its type, so a loaded model predicts the same bits.
 */
import { FormatError } from "../../errors.ts";
import type { LinearModel } from "../linear/linearModel.ts";
import type { SvcModel } from "../svc/svcModel.ts";
import type { FeatureSettings, PipelineOptions, SvmPipeline } from "./pipeline.ts";

export interface NamedTensor {
  readonly data: Float32Array | Float64Array | Int32Array;
  readonly shape: readonly number[];
}

export interface SavedPipeline {
  readonly tensors: Readonly<Record<string, NamedTensor>>;
  /** Everything else; JSON.stringify keeps it whole. */
  readonly config: PipelineConfig;
}

/** `format` names this layout; a change of it gets a new number. */
export interface PipelineConfig {
  readonly format: "trama-svm-1";
  readonly image: SvmPipeline["image"];
  readonly features: FeatureSettings;
  readonly options: PipelineOptions;
  readonly classifier:
    | Pick<SvcModel, "type" | "kernel" | "strategy" | "sigmoids" | "problems">
    | (Pick<LinearModel, "type" | "multiclass" | "loss" | "columns"> & { readonly problems: readonly object[] });
}

const format = "trama-svm-1";

/** The dual variables of a linear model, which only a warm start needs, are left out. */
export function toTensors(pipeline: SvmPipeline): SavedPipeline {
  const { image, features, options, scaler, classifier: model } = pipeline;
  const tensors: Record<string, NamedTensor> = { classes: vector(model.classes), intercepts: vector(model.intercepts) };
  if (scaler !== undefined) {
    Object.assign(tensors, { "scaler.mean": vector(scaler.mean), "scaler.scale": vector(scaler.scale) });
  }
  if (model.type === "svc") {
    const { data, rows, columns } = model.supportVectors;
    tensors["support_vectors"] = { data, shape: [rows, columns] };
    tensors["support_indices"] = vector(model.supportIndices);
    tensors["support_counts"] = vector(model.supportCounts);
    tensors["dual_coefficients"] = {
      data: model.dualCoefficients,
      shape: [rows === 0 ? 0 : model.dualCoefficients.length / rows, rows],
    };
    const { type, kernel, strategy, sigmoids, problems } = model;
    return {
      tensors,
      config: { format, image, features, options, classifier: { type, kernel, strategy, sigmoids, problems } },
    };
  }
  tensors["weights"] = { data: model.weights, shape: [model.intercepts.length, model.columns] };
  const { type, multiclass, loss, columns } = model;
  // JSON has no NaN.
  const problems = model.problems.map((problem) =>
    Object.assign({}, problem, { relativeGap: Number.isNaN(problem.relativeGap) ? null : problem.relativeGap }),
  );
  return {
    tensors,
    config: { format, image, features, options, classifier: { type, multiclass, loss, columns, problems } },
  };
}

const vector = (data: NamedTensor["data"]): NamedTensor => ({ data, shape: [data.length] });

/** The pipeline that `toTensors` took apart. Throws `FormatError` for missing, mistyped or mis-shaped parts. */
export function fromTensors({ tensors, config }: SavedPipeline): SvmPipeline {
  const found = (config as { format?: string } | undefined)?.format;
  if (found !== format) {
    throw new FormatError({
      where: "svm model",
      expected: `format ${format}`,
      got: found ?? "none",
      advice: "save the model with this version of Trama",
    });
  }
  const reader = new TensorReader(tensors);
  const { image, features, options } = config;
  const scaler =
    "scaler.mean" in tensors
      ? { scaler: { mean: reader.doubles("scaler.mean"), scale: reader.doubles("scaler.scale") } }
      : {};
  const classifier =
    config.classifier.type === "svc" ? readSvc(reader, config.classifier) : readLinear(reader, config.classifier);
  return { type: "svm-pipeline", image, features, options, ...scaler, classifier };
}

function readSvc(
  reader: TensorReader,
  config: Pick<SvcModel, "type" | "kernel" | "strategy" | "sigmoids" | "problems">,
): SvcModel {
  const [rows, columns] = reader.shape("support_vectors", 2) as [number, number];
  const classes = reader.integers("classes");
  const layers = config.strategy === "one-vs-one" ? classes.length - 1 : classes.length;
  return {
    ...config,
    classes,
    supportVectors: { data: reader.floats("support_vectors"), rows, columns },
    supportIndices: reader.integers("support_indices", rows),
    supportCounts: reader.integers("support_counts", classes.length),
    dualCoefficients: reader.doubles("dual_coefficients", layers * rows),
    intercepts: reader.doubles("intercepts", config.problems.length),
  };
}

function readLinear(reader: TensorReader, config: Exclude<PipelineConfig["classifier"], { type: "svc" }>): LinearModel {
  const problems = (config.problems as LinearModel["problems"]).map((problem) =>
    Object.assign({}, problem, { relativeGap: problem.relativeGap ?? NaN }),
  );
  const { type, multiclass, loss, columns } = config;
  const intercepts = reader.doubles("intercepts", problems.length);
  const weights = reader.doubles("weights", problems.length * columns);
  return {
    type,
    multiclass,
    loss,
    columns,
    problems,
    classes: reader.integers("classes"),
    intercepts,
    weights,
    dual: [],
  };
}

/** Finds tensors by name and checks type and length. */
class TensorReader {
  private readonly tensors: SavedPipeline["tensors"];

  constructor(tensors: SavedPipeline["tensors"]) {
    this.tensors = tensors;
  }

  floats(name: string, length?: number): Float32Array {
    return this.typed(name, Float32Array, length);
  }

  doubles(name: string, length?: number): Float64Array {
    return this.typed(name, Float64Array, length);
  }

  integers(name: string, length?: number): Int32Array {
    return this.typed(name, Int32Array, length);
  }

  shape(name: string, rank: number): readonly number[] {
    const { shape, data } = this.find(name);
    if (shape.length === rank && shape.reduce((product, size) => product * size, 1) === data.length) return shape;
    throw new FormatError({
      where: `svm model, tensor ${name}`,
      expected: `${rank} dimensions that multiply to ${data.length}`,
      got: `[${shape.join(", ")}]`,
    });
  }

  private typed<T extends NamedTensor["data"]>(
    name: string,
    Class: new (length: number) => T,
    length: number | undefined,
  ): T {
    const { data } = this.find(name);
    if (!(data instanceof Class) || (length !== undefined && data.length !== length)) {
      throw new FormatError({
        where: `svm model, tensor ${name}`,
        expected: `${length ?? "any number of"} values in a ${Class.name}`,
        got: `${data.length} in a ${data.constructor.name}`,
      });
    }
    return data;
  }

  private find(name: string): NamedTensor {
    const tensor = this.tensors[name];
    if (tensor !== undefined) return tensor;
    throw new FormatError({
      where: "svm model",
      expected: `a tensor named ${name}`,
      got: Object.keys(this.tensors).join(", ") || "none",
    });
  }
}
