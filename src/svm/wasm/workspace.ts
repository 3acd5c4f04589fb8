/**
 * WebAssembly memory with the loops of `loops.ts` over it, and a simple allocator: everything of one problem is laid out
 * once, then released together.
 *
 * Why one memory per thread, reused: fresh memory must be zeroed and mapped by the system, page by page, for every
 * pair of classes; a used one is ready. What is allocated is therefore *not* zero.
 */
import { DeviceError, OptionError } from "../../errors.ts";
import { assembleModule } from "./assembler.ts";
import { loops } from "./loops.ts";

/** The exported loops; `loops.ts` documents each. Addresses and strides are in bytes. */
export interface Loops {
  dots(queries: number, rows: number, outs: number, first: number, last: number, rowBytes: number): void;
  rbf(out: number, norms: number, count: number, queryNorm: number, negativeGamma: number): void;
  addDifference(target: number, a: number, b: number, scale: number, count: number): void;
  weightedSum(weights: number, row: number, rowBytes: number): number;
  addScaled(weights: number, row: number, scale: number, rowBytes: number): void;
}

const pageBytes = 65536;
const mostPages = 65536; // 4 GiB, what 32-bit addresses reach
const mostBytes = (mostPages - 1) * pageBytes;

let compiled: WebAssembly.Module | undefined;

/** Compiled once per thread. */
function loopsModule(): WebAssembly.Module {
  if (compiled !== undefined) return compiled;
  try {
    compiled = new WebAssembly.Module(assembleModule(loops));
  } catch (cause) {
    throw new DeviceError(
      {
        where: "svm",
        expected: "WebAssembly with 128-bit SIMD",
        got: String(cause),
        advice: "use Node 20 or a browser of 2023 or later, with 'wasm-unsafe-eval' in the page's content policy",
      },
      { cause },
    );
  }
  return compiled;
}

/** A typed view and the address of its first element. */
export interface Placed<T> {
  readonly at: number;
  readonly view: T;
}

export class Workspace {
  readonly loops: Loops;
  private readonly memory: WebAssembly.Memory;
  private used = 0;
  private capacity = 0;

  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: mostPages });
    const instance = new WebAssembly.Instance(loopsModule(), { trama: { memory: this.memory } });
    this.loops = instance.exports as unknown as Loops;
  }

  /** Forgets all allocations and makes room for `bytes`. Views handed out before must not be used again. */
  reset(bytes: number): void {
    if (bytes > mostBytes) {
      throw new OptionError({
        where: "svm",
        expected: "a problem and cache of at most 4 GiB per worker",
        got: `${(bytes / 2 ** 30).toFixed(1)} GiB`,
        advice: "lower cacheBytes, or train on fewer samples or features",
      });
    }
    const missing = Math.ceil(bytes / pageBytes) - this.memory.buffer.byteLength / pageBytes;
    if (missing > 0) this.memory.grow(missing);
    this.used = 0;
    this.capacity = this.memory.buffer.byteLength;
  }

  floats(length: number): Placed<Float32Array> {
    const at = this.take(4 * length);
    return { at, view: new Float32Array(this.memory.buffer, at, length) };
  }

  doubles(length: number): Placed<Float64Array> {
    const at = this.take(8 * length);
    return { at, view: new Float64Array(this.memory.buffer, at, length) };
  }

  integers(length: number): Placed<Int32Array> {
    const at = this.take(4 * length);
    return { at, view: new Int32Array(this.memory.buffer, at, length) };
  }

  private take(bytes: number): number {
    const at = this.used;
    this.used += alignedBytes(bytes);
    if (this.used > this.capacity) throw new Error(`svm workspace of ${this.capacity} bytes is too small`); // our own fault
    return at;
  }
}

/** Allocations start on cache lines. */
export const alignedBytes = (bytes: number): number => Math.ceil(bytes / 64) * 64;

const idle: Workspace[] = [];

/** Runs `work` in a workspace of at least `bytes`, taken from and given back to this thread's idle ones. */
export async function withWorkspace<T>(bytes: number, work: (workspace: Workspace) => Promise<T> | T): Promise<T> {
  const workspace = idle.pop() ?? new Workspace();
  try {
    workspace.reset(bytes);
    return await work(workspace);
  } finally {
    idle.push(workspace);
  }
}
