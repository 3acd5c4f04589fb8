/** Fashion-MNIST for the SVM benches, straight from the IDX files in `../shared/data` or in TRAMA_DATA. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { ImageBatch } from "../../src/svm/index.ts";

export interface Pictures {
  readonly labels: Int32Array;
  /** The pictures at these positions, in this order. */
  take(indices: ArrayLike<number>): ImageBatch & { readonly data: Uint8Array };
}

const side = 28;
const pixels = side * side;

export function pictures(part: "train" | "t10k"): Pictures {
  const folder = process.env["TRAMA_DATA"] ?? new URL("../../../shared/data/fashion-mnist", import.meta.url).pathname;
  const read = (name: string): Uint8Array => gunzipSync(readFileSync(`${folder}/${part}-${name}-ubyte.gz`));
  const images = read("images-idx3").subarray(16);
  return {
    labels: Int32Array.from(read("labels-idx1").subarray(8)),
    take: (indices) => {
      const data = new Uint8Array(indices.length * pixels);
      for (let i = 0; i < indices.length; i++) {
        const from = (indices[i] as number) * pixels;
        data.set(images.subarray(from, from + pixels), i * pixels);
      }
      return { data, count: indices.length, height: side, width: side };
    },
  };
}
