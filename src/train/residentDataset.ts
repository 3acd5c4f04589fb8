/** A data set on the GPU: uploaded once, four pixels to a word, and picked from there batch by batch. */
import { DataError, DeviceError, ShapeError } from "../errors.ts";
import type { BatchLook, ByteImages } from "../kernels/index.ts";
import type { ImageDataset } from "../data/index.ts";
import type { Model } from "../nn/index.ts";
import { formatShape, sameShape, type Device, type Shape, type Tensor } from "../tensor/index.ts";

/** Takes charge of a tensor until some work is over; see `holding`. */
export type Hold = (tensor: Tensor) => Tensor;

/** What an upload needs to know of a data set. */
export type UploadableImages = Pick<ImageDataset, "images" | "labels" | "count" | "origin"> & { readonly shape: Shape };

export interface ResidentDataset extends ByteImages {
  readonly count: number;
}

/** Uploads images and labels; `hold` decides how long the tensors live. */
export function upload(device: Device, dataset: UploadableImages, hold: Hold): ResidentDataset {
  const { images, labels, shape, count, origin } = dataset;
  const limit = device.gpu.limits.maxStorageBufferBindingSize;
  if (images.byteLength > limit) {
    const most = Math.floor(limit / (images.byteLength / count));
    throw new DeviceError({
      where: `data set "${origin}"`,
      expected: `at most ${most} images of ${formatShape(shape)} in one binding of this adapter`,
      got: `${count}`,
      advice: `train on a part of it: takeImages(dataset, ${most})`,
    });
  }
  const words = new Uint32Array(Math.ceil(images.byteLength / 4));
  new Uint8Array(words.buffer).set(images);
  const pixels = hold(device.tensor(words));
  return { pixels, labels: hold(device.tensor(Uint32Array.from(labels))), imageShape: shape, count };
}

/** How a model wants to see images: normalised, and brought to the size and channels of its input. */
export function lookOf(model: Model, { imageShape }: Pick<ByteImages, "imageShape">): BatchLook {
  const { input, normalisation, resize } = model;
  if (sameShape(input, imageShape)) return { normalisation };
  const [height = 1, width = 1, channels = 1] = input;
  const { mode, antialias = false } = resize;
  const smaller = height < imageShape[0]! || width < imageShape[1]!;
  return { normalisation, size: [height, width], channels, resize: mode, antialias: antialias && smaller };
}

/** Throws unless the model can learn from, or be judged on, this data set. */
export function checkDataset(
  where: string,
  model: Model,
  { shape, classNames, origin }: Pick<ImageDataset, "shape" | "classNames" | "origin">,
): void {
  const [channels, wanted] = [shape[2], model.input[2]];
  const convertible =
    model.input.length === 3 && (channels === wanted || channels === 1 || (channels === 3 && wanted === 1));
  if (!sameShape(model.input, shape) && !convertible) {
    throw new ShapeError({
      where,
      expected: `images that can be brought to ${formatShape(model.input)}, the model's input`,
      got: `${formatShape(shape)} in "${origin}"`,
    });
  }
  if (model.output.length !== 1 || model.output[0]! < classNames.length) {
    throw new DataError({
      where,
      expected: `a model with one output for each of ${classNames.length} classes`,
      got: `output ${formatShape(model.output)}`,
      advice: `end the model with dense(${classNames.length})`,
    });
  }
}
