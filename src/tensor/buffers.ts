/**
 * GPU memory: a pool of buffers by size class, with a byte budget and public counters.
 *
 * Creating and destroying buffers costs milliseconds on some adapters, so a buffer that is no longer used goes back to a
 * free list and serves the next request of its class. WebGPU zeroes a new buffer but not a recycled one: kernels must
 * write every element of their outputs.
 */
import { DeviceError } from "../errors.ts";

/** What the pool holds, in bytes and buffers. `created` and `reused` only grow. */
export interface MemoryCounters {
  readonly bytesInUse: number;
  readonly bytesFree: number;
  readonly peakBytes: number;
  readonly buffersInUse: number;
  readonly buffersFree: number;
  readonly created: number;
  readonly reused: number;
}

const SMALLEST_CLASS = 256;

/** Rounds up to a size class: powers of two with three steps between, so at most a quarter is wasted. */
export function sizeClass(bytes: number): number {
  if (bytes <= SMALLEST_CLASS) return SMALLEST_CLASS;
  const step = 2 ** (Math.ceil(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / step) * step;
}

// GPUBufferUsage by value: the global of that name exists in pages but not in Node.
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const UNIFORM = 0x40;
const STORAGE = 0x80;

export class BufferPool {
  readonly #device: GPUDevice;
  readonly #budget: number;
  readonly #free = new Map<number, GPUBuffer[]>();
  #bytesInUse = 0;
  #bytesFree = 0;
  #peakBytes = 0;
  #buffersInUse = 0;
  #buffersFree = 0;
  #created = 0;
  #reused = 0;

  readonly #submit: () => void;

  /**
   * `budget`: bytes that all buffers together may take, in use or kept for reuse. `submit` sends off recorded work, which
   * may still use a free buffer, before the buffer is destroyed.
   */
  constructor(device: GPUDevice, budget: number, submit: () => void) {
    this.#device = device;
    this.#budget = budget;
    this.#submit = submit;
  }

  get counters(): MemoryCounters {
    return {
      bytesInUse: this.#bytesInUse,
      bytesFree: this.#bytesFree,
      peakBytes: this.#peakBytes,
      buffersInUse: this.#buffersInUse,
      buffersFree: this.#buffersFree,
      created: this.#created,
      reused: this.#reused,
    };
  }

  /** A buffer for data or uniforms of at least `bytes`. Throws `DeviceError` where the adapter or the budget cannot hold it. */
  acquire(bytes: number, what: string): GPUBuffer {
    const size = this.#fittingClass(bytes, what);
    const recycled = this.#free.get(size)?.pop();
    const buffer = recycled ?? this.#create(size, what);
    if (recycled) {
      this.#reused++;
      this.#bytesFree -= size;
      this.#buffersFree--;
    }
    this.#bytesInUse += size;
    this.#buffersInUse++;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytesInUse);
    return buffer;
  }

  /** Takes a buffer back. Work already recorded may still use it: the queue runs in order. */
  release(buffer: GPUBuffer): void {
    const list = this.#free.get(buffer.size);
    if (list) list.push(buffer);
    else this.#free.set(buffer.size, [buffer]);
    this.#bytesInUse -= buffer.size;
    this.#buffersInUse--;
    this.#bytesFree += buffer.size;
    this.#buffersFree++;
  }

  /** Gives every free buffer back to the driver. */
  trim(): void {
    this.#submit();
    for (const list of this.#free.values()) for (const buffer of list) buffer.destroy();
    this.#free.clear();
    this.#bytesFree = 0;
    this.#buffersFree = 0;
  }

  #fittingClass(bytes: number, what: string): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (bytes > limit) {
      throw new DeviceError({
        where: what,
        expected: `at most ${limit} bytes in one buffer on this adapter`,
        got: `${bytes} bytes`,
        advice: "use a smaller batch or image, or split the data",
      });
    }
    return Math.min(sizeClass(bytes), limit - (limit % 4));
  }

  #create(size: number, what: string): GPUBuffer {
    if (this.#bytesInUse + this.#bytesFree + size > this.#budget) this.trim();
    if (this.#bytesInUse + size > this.#budget) {
      throw new DeviceError({
        where: what,
        expected: `at most ${this.#budget} bytes of GPU memory (the budget)`,
        got: `${this.#bytesInUse} bytes in use and ${size} more asked for`,
        advice: "use a smaller batch, or raise openDevice({ memoryBudget })",
      });
    }
    this.#created++;
    return this.#device.createBuffer({ size, usage: STORAGE | UNIFORM | COPY_SRC | COPY_DST, label: what });
  }
}
