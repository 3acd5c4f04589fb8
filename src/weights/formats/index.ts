/** Files of other programs. Loaded when one of them comes along. */
import type { Container } from "../openWeights.ts";
import type { WeightsFile } from "../weightsFile.ts";
import { KERAS_ARCHIVE_CONFIG, KERAS_ARCHIVE_WEIGHTS, openKeras } from "./keras.ts";
import { openNpz } from "./npz.ts";
import { openTorchLegacy, openTorchZip } from "./pytorch.ts";
import { readZip } from "./zip.ts";

/** Reads a file that is in memory as a whole, which these formats need: they begin at the end, or lie scattered. */
export async function openForeign(container: Container, bytes: Uint8Array, file: string): Promise<WeightsFile> {
  if (container === "pickle") return openTorchLegacy(bytes, file);
  if (container === "hdf5") return openKeras(bytes, file);
  const entries = readZip(bytes, file);
  if ([...entries.keys()].some((name) => /(^|\/)data\.pkl$/.test(name))) return openTorchZip(entries, file);
  const weights = entries.get(KERAS_ARCHIVE_WEIGHTS);
  if (weights === undefined) return openNpz(entries, file);
  const config = await entries.get(KERAS_ARCHIVE_CONFIG)?.content();
  return openKeras(await weights.content(), file, config && new TextDecoder().decode(config));
}
