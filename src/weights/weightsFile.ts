/** A file of weights, whatever its format. */
import type { StoredTensor, TensorInfo } from "./dtypes.ts";
import type { NameMap } from "./names/index.ts";

export type WeightsFormat = "safetensors" | "pytorch" | "keras" | "npz";

export interface WeightsFile {
  /** What errors call it. */
  readonly file: string;
  readonly format: WeightsFormat;
  /** What it holds, by name, in its own order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Free text by key, where the format has such. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Names of what lies among the weights and is no tensor. */
  readonly skipped: readonly string[];
  /** What had to be done to reach the weights, in words: a wrapper opened, a prefix taken off. */
  readonly notes: readonly string[];
  /** How its writer names and lays out things, where the format says so. */
  readonly map?: NameMap;
  /**
   * The tensors one at a time, in order. A file that is read as it arrives can be walked once.
   * @param wanted the names to read. Default: all.
   */
  read(wanted?: (name: string) => boolean): AsyncGenerator<StoredTensor>;
  /** Lets go of the source and of all memory that is not the tensors'. */
  close(): Promise<void>;
}

/** A file whose tensors are in memory, or are made when they are asked for. */
export function fileInMemory(
  fields: Pick<WeightsFile, "file" | "format"> & Partial<WeightsFile>,
  tensors: readonly StoredTensor[],
): WeightsFile {
  return {
    metadata: {},
    skipped: [],
    notes: [],
    tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])),
    async *read(wanted = () => true) {
      for (const tensor of tensors) if (wanted(tensor.name)) yield tensor;
    },
    close: async () => undefined,
    ...fields,
  };
}
