/** A tensor is a shape, an element type and a place in GPU memory. It knows no operation: those are functions over it. */
import type { Device } from "./device.ts";
import { bytesPerElement, type Dtype, type TypedArray } from "./dtype.ts";
import { sizeOf, type Shape } from "./shape.ts";

/**
 * A place for data. While a program is being recorded, storages of intermediates are only planned: their `buffer` is
 * null until the program assigns one.
 */
export class Storage {
  readonly bytes: number;
  buffer: GPUBuffer | null;
  /** Freed buffers are never read again; a use after the scope's end is an error instead of someone else's data. */
  freed = false;

  constructor(bytes: number, buffer: GPUBuffer | null) {
    this.bytes = bytes;
    this.buffer = buffer;
  }
}

export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly storage: Storage;
  /** Where in the storage this tensor begins: parameters are views of one flat buffer. */
  readonly byteOffset: number;

  constructor(device: Device, shape: Shape, dtype: Dtype, storage: Storage, byteOffset = 0) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.storage = storage;
    this.byteOffset = byteOffset;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get bytes(): number {
    return this.size * bytesPerElement(this.dtype);
  }

  /** The elements, row-major, once the GPU has computed them. */
  read(): Promise<TypedArray> {
    return this.device.read(this);
  }

  /** The single element of a scalar (or of any tensor of one element). */
  async item(): Promise<number> {
    return (await this.device.read(this))[0]!;
  }
}

/** Every tensor inside a value: a tensor, or arrays and plain objects of them. */
export function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.values(value).flatMap(tensorsIn);
  }
  return [];
}
