/**
 * Opens a file of weights of any format. Which one it is, its first bytes tell. Safetensors is read as it arrives; what
 * reads the other formats is loaded when one of them comes along, so that nobody else pays for it.
 */
import { openByteStream, type ByteSource, type ByteStream, type StreamOptions } from "./byteStream.ts";
import { openSafetensors } from "./safetensors.ts";
import type { WeightsFile } from "./weightsFile.ts";

/**
 * Opens a file of weights: safetensors; PyTorch (`.pt`, `.pth`, zip or older); Keras (`.h5`, `.weights.h5`, `.keras`), for
 * which the package `h5wasm` has to be installed; NPZ. Nothing in it is ever run.
 * @param source path, or address in a page; `http:` and `https:` addresses everywhere; or a response, blob or bytes.
 * @throws {FileError} when it cannot be read. @throws {FormatError} when it is of none of these formats, or broken.
 */
export async function openWeights(source: ByteSource, options: StreamOptions = {}): Promise<WeightsFile> {
  const stream = await openByteStream(source, options);
  try {
    return await openStream(stream);
  } catch (error) {
    await stream.close();
    throw error;
  }
}

async function openStream(stream: ByteStream): Promise<WeightsFile> {
  const container = containerOf(await stream.peek(8));
  if (container === "safetensors") return openSafetensors(stream);
  const bytes = await stream.rest();
  await stream.close();
  const { openForeign } = await import("./formats/index.ts");
  return openForeign(container, bytes, stream.file);
}

/** What a file looks like from outside; a zip may hold several formats. */
export type Container = "zip" | "hdf5" | "pickle" | "safetensors";

function containerOf(head: Uint8Array): Container {
  const begins = (...magic: number[]): boolean => magic.every((byte, index) => head[index] === byte);
  if (begins(0x50, 0x4b)) return "zip";
  if (begins(0x89, 0x48, 0x44, 0x46)) return "hdf5";
  // A safetensors header of 640 bytes begins like a pickle, but no header is as long as a pickle would make it.
  const isLong = head.subarray(4).some((byte) => byte !== 0) || head[3]! >= 0x06;
  return begins(0x80) && head[1]! >= 2 && head[1]! <= 5 && isLong ? "pickle" : "safetensors";
}
