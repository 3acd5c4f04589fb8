/** HDF5 files for tests, written by the C library itself. */
import { File, ready, type Group } from "h5wasm";

let written = 0;

/** The bytes of an HDF5 file. */
export async function hdf5(fill: (root: Group) => void): Promise<Uint8Array> {
  const { FS } = await ready;
  const path = `/test-${written++}.h5`;
  const file = new File(path, "w");
  fill(file);
  file.close();
  const bytes = FS.readFile(path).slice();
  FS.unlink(path);
  return bytes;
}

export type Weights = Readonly<Record<string, readonly [shape: number[], ...values: number[]]>>;

/** One layer as Keras 1 and 2 keep it: weights under their variables' names, which an attribute lists in order. */
export function writeLayer(parent: Group, layer: string, weights: Weights): void {
  const group = parent.create_group(layer);
  for (const [name, [shape, ...values]] of Object.entries(weights)) {
    const path = name.split("/");
    let inner = group;
    for (const part of path.slice(0, -1)) inner = (inner.get(part) as Group | null) ?? inner.create_group(part);
    inner.create_dataset({ name: path.at(-1)!, data: Float32Array.from(values), shape });
  }
  group.create_attribute("weight_names", Object.keys(weights));
}
