/**
 * Who frees what. A scope owns the tensors made while it runs and frees, at its end, all that it neither returned nor
 * kept. Outside of any scope a tensor lives as long as JavaScript can reach it.
 */
import { OptionError } from "../errors.ts";
import type { BufferPool } from "./buffers.ts";
import type { Device } from "./device.ts";
import { Storage, tensorsIn, type Tensor } from "./tensor.ts";

export class Scopes {
  readonly #pool: BufferPool;
  readonly #open: Set<Storage>[] = [];
  /** Returns the buffers of tensors that were dropped outside of any scope. */
  readonly #unreachable: FinalizationRegistry<GPUBuffer>;

  constructor(pool: BufferPool) {
    this.#pool = pool;
    this.#unreachable = new FinalizationRegistry((buffer) => pool.release(buffer));
  }

  allocate(bytes: number, what: string): Storage {
    const storage = new Storage(bytes, null);
    this.back(storage, what);
    return storage;
  }

  /** Gives a storage the buffer that it lacks, and owns it. */
  back(storage: Storage, what: string): void {
    storage.buffer = this.#pool.acquire(storage.bytes, what);
    this.#own(storage);
  }

  enter(): Set<Storage> {
    const owned = new Set<Storage>();
    this.#open.push(owned);
    return owned;
  }

  /** Ends a scope: what `survivors` holds moves to the scope around it, the rest is freed. */
  leave(owned: Set<Storage>, survivors: unknown): void {
    this.#open.splice(this.#open.indexOf(owned), 1);
    const kept = new Set(tensorsIn(survivors).map(({ storage }) => storage));
    for (const storage of owned) {
      if (kept.has(storage)) this.#own(storage);
      else this.#release(storage);
    }
  }

  /** Takes a storage out of every scope: it lives as long as it can be reached. */
  keep(storage: Storage): void {
    for (const owned of this.#open) {
      if (owned.delete(storage)) this.#unreachable.register(storage, storage.buffer!, storage);
    }
  }

  /** Frees a storage now, wherever it belongs. */
  free(storage: Storage): void {
    if (storage.freed || !storage.buffer) return;
    for (const owned of this.#open) owned.delete(storage);
    this.#unreachable.unregister(storage);
    this.#release(storage);
  }

  #own(storage: Storage): void {
    const innermost = this.#open.at(-1);
    if (innermost) innermost.add(storage);
    else this.#unreachable.register(storage, storage.buffer!, storage);
  }

  #release(storage: Storage): void {
    storage.freed = true;
    this.#pool.release(storage.buffer!);
  }
}

/** Runs `body` and frees every tensor it made, except those in its result and those passed to `keep`. */
export function scope<T>(device: Device, body: () => T): T {
  const owned = device.scopes.enter();
  let survivors: unknown = null;
  try {
    const result = body();
    if (result instanceof Promise) {
      throw new OptionError({
        where: "scope",
        expected: "a body that returns at once",
        got: "an asynchronous one",
        advice: "other work would run inside the scope meanwhile: hold tensors with holding() instead",
      });
    }
    survivors = result;
    return result;
  } finally {
    device.scopes.leave(owned, survivors);
  }
}

/**
 * Runs an asynchronous `body` and frees, at its end, the tensors that it passed to `hold`. Other work may go on
 * meanwhile, which is why nothing is owned that was not named.
 */
export async function holding<T>(body: (hold: (tensor: Tensor) => Tensor) => Promise<T>): Promise<T> {
  const held: Tensor[] = [];
  const hold = (tensor: Tensor) => {
    held.push(keep(tensor));
    return tensor;
  };
  try {
    return await body(hold);
  } finally {
    for (const tensor of held) free(tensor);
  }
}

/** Lets a tensor outlive its scope. Returns it. */
export function keep(tensor: Tensor): Tensor {
  tensor.device.scopes.keep(tensor.storage);
  return tensor;
}

/** Frees a tensor's memory now. Rarely needed: scopes do it. */
export function free(tensor: Tensor): void {
  tensor.device.scopes.free(tensor.storage);
}
