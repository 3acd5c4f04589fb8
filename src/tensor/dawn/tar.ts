/** The plain files of a ustar archive, which is all that the one archive we unpack holds. */

const block = 512;

export interface TarFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Yields each plain file under its base name: folders of the archive are not recreated, so no name can lead
 * outside the folder that it is written into.
 * @throws RangeError when a header announces more bytes than the archive has.
 */
export function* readTar(archive: Uint8Array): Generator<TarFile> {
  for (let at = 0; at + block <= archive.length && archive[at] !== 0;) {
    const size = Number.parseInt(text(archive, at + 124, 12), 8);
    const start = at + block;
    if (!(size >= 0 && start + size <= archive.length)) throw new RangeError(`tar entry at byte ${at} is cut short`);
    if (isPlainFile(archive[at + 156])) {
      yield { name: baseName(text(archive, at, 100)), bytes: archive.subarray(start, start + size) };
    }
    at = start + Math.ceil(size / block) * block;
  }
}

function isPlainFile(type: number | undefined): boolean {
  return type === 0 || type === "0".charCodeAt(0);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function text(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}
