/** A file on a server, read in pieces by HTTP ranges (RFC 9110, section 14). */
import { FileError, type ByteRanges } from "./files.ts";

/** See `PlatformFiles.openRanges`. */
export async function fetchRanges(location: string | URL): Promise<ByteRanges> {
  const first = await requestRange(location, 0, 1);
  const byteLength = Number(/\/(\d+)$/.exec(first.headers.get("content-range") ?? "")?.[1]);
  await first.body?.cancel();
  if (!Number.isSafeInteger(byteLength)) throw refused(location, "one that does not tell the file's length");
  return {
    byteLength,
    read: async (offset, length) => {
      const response = await requestRange(location, offset, length);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length === length) return bytes;
      throw refused(location, `${bytes.length} bytes instead of ${length} from ${offset} on`);
    },
    close: async () => undefined,
  };
}

async function requestRange(location: string | URL, offset: number, length: number): Promise<Response> {
  const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
  const response = await fetch(location, { headers }).catch((cause: unknown) => {
    throw refused(location, String(cause), cause);
  });
  if (response.status === 206) return response;
  // A server that ignores the header would send the whole file for each piece of it.
  await response.body?.cancel();
  throw refused(location, response.ok ? "one that ignores ranges" : `HTTP ${response.status}`);
}

function refused(location: string | URL, got: string, cause?: unknown): FileError {
  return new FileError(
    {
      where: String(location),
      expected: "a server that answers requests for ranges of the file",
      got,
      advice: "check the address, or load the file as a whole",
    },
    { cause },
  );
}
