/** Picture files as the pixels that a model expects. */
import { readFile } from "#files";
import { decodePicture, pictureSettings, preparePicture, type PreparedPicture } from "../data/index.ts";
import { ShapeError } from "../errors.ts";
import { formatShape, type Shape } from "../tensor/index.ts";

/** Throws unless pictures can be given to a model of that input. */
export function requirePictureInput(input: Shape, file: string): void {
  if (input.length === 3 && (input[2] === 1 || input[2] === 3)) return;
  throw new ShapeError({
    where: file,
    expected: "a model for pictures, [height, width, 1 or 3]",
    got: `a model for ${formatShape(input)}`,
  });
}

/**
 * Decodes a file and fits it into the model's size without stretching; what stays free at the sides has the colour of the
 * picture's own border. A grey picture on a light background is inverted, because the models know dark ones.
 * @throws {FileError} when it cannot be read. @throws {FormatError} when it is no picture. @throws {DataError} without a decoder.
 */
export async function readPicture(file: string, input: Shape): Promise<PreparedPicture> {
  const [height = 1, width = 1, channels = 1] = input;
  const isGrey = channels === 1;
  const settings = pictureSettings({
    size: [height, width],
    channels: isGrey ? 1 : 3,
    fit: "contain",
    invert: isGrey ? "lightBackground" : "never",
  });
  return preparePicture(await decodePicture(await readFile(file), file), settings);
}
