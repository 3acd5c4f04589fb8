/** A data set on the GPU: uploaded once, pixels four to a word, and picked from there batch by batch. */
import { DataError, DeviceError, ShapeError } from "../errors.ts";
import type { BatchLook, ByteImages, FloatRows } from "../kernels/index.ts";
import type { ArrayDataset, ImageDataset } from "../data/index.ts";
import type { Model } from "../nn/index.ts";
import { formatShape, sameShape, type Device, type Shape, type Tensor } from "../tensor/index.ts";
import { holdsPixels, type DataSource } from "./dataSource.ts";

/** Takes charge of a tensor until some work is over; see `holding`. */
export type Hold = (tensor: Tensor) => Tensor;

/** What an upload needs to know of a data set. */
export type UploadableImages = Pick<ImageDataset, "images" | "labels" | "count" | "origin"> & { readonly shape: Shape };

export type UploadableRows = Pick<ArrayDataset, "values" | "labels" | "count" | "origin" | "shape">;

export type ResidentDataset = (ByteImages | FloatRows) & { readonly count: number };

/** Uploads samples and labels; `hold` decides how long the tensors live. */
export function upload(device: Device, dataset: UploadableImages | UploadableRows, hold: Hold): ResidentDataset {
  const { shape, count, origin } = dataset;
  const numbers = "values" in dataset ? dataset.values : dataset.images;
  const limit = device.gpu.limits.maxStorageBufferBindingSize;
  if (numbers.byteLength > limit) {
    const most = Math.floor(limit / (numbers.byteLength / count));
    throw new DeviceError({
      where: `data set "${origin}"`,
      expected: `at most ${most} samples of ${formatShape(shape)} in one binding of this adapter`,
      got: `${count}`,
      advice: "train on a part of it, or give it as a stream (streamOf) or a generator (generatorDataset)",
    });
  }
  const stored = hold(device.tensor(storable(numbers)));
  return asResident(stored, hold(device.tensor(Uint32Array.from(dataset.labels))), shape, count);
}

/** Floats are numbers, words are pixels. */
export function asResident(stored: Tensor, labels: Tensor, shape: Shape, count: number): ResidentDataset {
  if (stored.dtype === "f32") return { values: stored, labels, shape, count };
  return { pixels: stored, labels, imageShape: shape, count };
}

/** Numbers as they are; bytes four to a word, the first one lowest. */
export function storable(values: Float32Array | Uint8Array): Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  if (values instanceof Float32Array) return values as Float32Array<ArrayBuffer>;
  const words = new Uint32Array(Math.ceil(values.length / 4));
  new Uint8Array(words.buffer).set(values);
  return words;
}

/** How a model wants to see images: normalised, and brought to the size and channels of its input. Numbers stay as they are. */
export function lookOf(model: Model, data: ResidentDataset): BatchLook {
  if ("values" in data) return {};
  const { input, normalisation, resize } = model;
  const { imageShape } = data;
  if (sameShape(input, imageShape)) return { normalisation };
  const [height = 1, width = 1, channels = 1] = input;
  const { mode, antialias = false } = resize;
  const smaller = height < imageShape[0]! || width < imageShape[1]!;
  return { normalisation, size: [height, width], channels, resize: mode, antialias: antialias && smaller };
}

/** Throws unless the model can learn from, or be judged on, this data set. */
export function checkDataset(where: string, model: Model, dataset: DataSource): void {
  checkShape(where, model, dataset);
  const { classNames } = dataset;
  if (model.output.length !== 1 || model.output[0]! < classNames.length) {
    throw new DataError({
      where,
      expected: `a model with one output for each of ${classNames.length} classes`,
      got: `output ${formatShape(model.output)}`,
      advice: `end the model with dense(${classNames.length})`,
    });
  }
}

/** Images can be brought to a model's input; numbers must have its shape. */
export function checkShape(where: string, { input }: Model, dataset: DataSource): void {
  const { shape, origin } = dataset;
  const [channels, wanted] = [shape[2], input[2]];
  const isConvertible =
    input.length === 3 && (channels === wanted || channels === 1 || (channels === 3 && wanted === 1));
  if (sameShape(input, shape) || (isConvertible && holdsPixels(dataset))) return;
  const form = holdsPixels(dataset) ? "images that can be brought to" : "samples of";
  throw new ShapeError({
    where,
    expected: `${form} ${formatShape(input)}, the model's input`,
    got: `${formatShape(shape)} in "${origin}"`,
  });
}
