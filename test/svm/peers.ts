/** LIBSVM as WebAssembly, for comparison only. Absent where its package is not installed: tests then leave it out. */
import { createRequire } from "node:module";

export interface Libsvm {
  train(samples: readonly (readonly number[])[], labels: readonly number[]): void;
  predict(samples: readonly (readonly number[])[]): number[];
  serializeModel(): string;
  free(): void;
}

export type LibsvmClass = new (options: Record<string, unknown>) => Libsvm;

/** A package of this project, or of the folder that `TRAMA_PEERS` names; nothing where neither has it. */
export function peer(name: string): unknown {
  const folders = [
    import.meta.url,
    ...(process.env["TRAMA_PEERS"] === undefined ? [] : [`${process.env["TRAMA_PEERS"]}/package.json`]),
  ];
  for (const folder of folders) {
    try {
      return createRequire(folder)(name) as unknown;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  return undefined;
}

/** Its loader takes a global `fetch` for a page, complains, and then reads the file: it gets none while it loads. */
export async function libsvm(): Promise<LibsvmClass | undefined> {
  const { fetch } = globalThis;
  Object.assign(globalThis, { fetch: undefined });
  try {
    return (await peer("libsvm-js")) as LibsvmClass | undefined;
  } finally {
    Object.assign(globalThis, { fetch });
  }
}

/** Vectors and signed coefficients of a two-class model in LIBSVM's text format. */
export function libsvmModel(text: string, columns: number): { vectors: Float64Array[]; coefficients: number[] } {
  const lines = text
    .slice(text.indexOf("SV\n", text.indexOf("nr_sv") + 6) + 3)
    .trim()
    .split("\n");
  const parsed = lines.map((line) => {
    const [coefficient, ...entries] = line.trim().split(" ");
    const vector = new Float64Array(columns);
    for (const entry of entries) {
      const [index, value] = entry.split(":");
      vector[Number(index) - 1] = Number(value);
    }
    return { vector, coefficient: Number(coefficient) };
  });
  return { vectors: parsed.map(({ vector }) => vector), coefficients: parsed.map(({ coefficient }) => coefficient) };
}
