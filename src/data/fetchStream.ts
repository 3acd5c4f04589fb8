/** A file from the network as it arrives: the same in Node and in pages. */
import { FileError, type FileStream } from "./files.ts";

/**
 * Begins to fetch a file, unless a response is there already.
 * @throws {FileError} when the server cannot be reached or has no such file.
 */
export async function fetchStream(source: string | URL | Response): Promise<FileStream> {
  if (!(source instanceof Response)) return streamOf(await fetchFile(source), source);
  const location = source.url === "" ? "response" : source.url;
  if (!source.ok) throw unreadable(location, `HTTP ${source.status}`);
  return streamOf(source, location);
}

/** The answer to a request for a file, before its body. Throws like `fetchStream`. */
export async function fetchFile(location: string | URL): Promise<Response> {
  const response = await fetch(location).catch((cause: unknown) => {
    throw unreadable(location, String(cause), cause);
  });
  if (!response.ok) throw unreadable(location, `HTTP ${response.status}`);
  return response;
}

/** The body of a response. @param location what errors call it. */
function streamOf({ body, headers }: Response, location: string | URL): FileStream {
  const length = Number(headers.get("content-length") ?? Number.NaN);
  // The length is that of the bytes on the wire, and the body comes decompressed.
  const isPlain = (headers.get("content-encoding") ?? "identity") === "identity";
  return {
    totalBytes: isPlain && Number.isSafeInteger(length) ? length : undefined,
    chunks: chunksOf(body, location),
  };
}

/** By a reader, because streams of browsers cannot be iterated everywhere. */
async function* chunksOf(body: ReadableStream<Uint8Array> | null, location: string | URL): AsyncGenerator<Uint8Array> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw unreadable(location, `a transfer that broke off (${String(cause)})`, cause);
      });
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function unreadable(location: string | URL, got: string, cause?: unknown): FileError {
  return new FileError(
    {
      where: String(location),
      expected: "to fetch the file",
      got,
      advice: "check the address and the server's CORS headers",
    },
    { cause },
  );
}
