/**
 * Downloading a published file of known length and checksum: mirror after mirror, taking up what has arrived, with
 * time limits that end. Works wherever `fetch` does; where the bytes are kept is the `PartialFile`'s business.
 */
import { md5, openPartial } from "#files";
import { DataError, TramaError } from "../errors.ts";
import type { PartialFile } from "./files.ts";

/** A published file: what it must be once it has arrived. */
export interface PublishedFile {
  readonly name: string;
  /** Exact length in bytes. */
  readonly bytes: number;
  /** 32 lower-case hexadecimal digits. */
  readonly md5: string;
}

/** How long to wait, in milliseconds. */
export interface DownloadTimeouts {
  /** For a mirror's first answer. Default 3,000. */
  readonly connectMs?: number;
  /** Between two pieces of the body. Default 10,000. */
  readonly idleMs?: number;
  /** For one request as a whole. Default 900,000. */
  readonly requestMs?: number;
}

/** What has arrived so far; reported after each piece. */
export interface DownloadProgress {
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
  readonly url: string;
}

export interface DownloadOptions {
  readonly timeouts?: DownloadTimeouts;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Aborting rejects with the signal's reason; what has arrived is kept for the next time. */
  readonly signal?: AbortSignal;
}

/** Tries of one mirror, as long as each brings new bytes. */
const MAX_TRIES_PER_MIRROR = 5;
const DEFAULT_TIMEOUTS = { connectMs: 3_000, idleMs: 10_000, requestMs: 900_000 };

interface Transfer {
  readonly file: PublishedFile;
  readonly part: PartialFile;
  readonly options: DownloadOptions;
}

/**
 * Downloads a file into a folder of the cache.
 * @param urls mirrors, tried in order. Bytes that one has sent are completed by the next; a wrong checksum discards them.
 * @returns the content, whose length and MD5 are right.
 * @throws {DataError} listing what went wrong with each mirror. @throws {FileError} when the cache cannot be written.
 */
export async function downloadToCache(
  folder: string,
  file: PublishedFile,
  urls: readonly string[],
  options: DownloadOptions = {},
): Promise<Uint8Array> {
  options.signal?.throwIfAborted();
  const part = await openPartial(folder, file.name);
  try {
    return await downloadFromMirrors({ file, part, options }, urls);
  } finally {
    await part.close();
  }
}

async function downloadFromMirrors(transfer: Transfer, urls: readonly string[]): Promise<Uint8Array> {
  const failures: string[] = [];
  for (const url of urls) {
    const content = await downloadFromMirror(transfer, url, failures);
    if (content === undefined) continue;
    await transfer.part.commit();
    return content;
  }
  throw new DataError({
    where: transfer.file.name,
    expected: `a download of ${transfer.file.bytes} bytes with MD5 ${transfer.file.md5}`,
    got: failures.length === 0 ? "no mirror to ask" : failures.join("; "),
    advice: "check the network, or get the file another way and name its folder",
  });
}

/** Undefined when the mirror is of no use; why is added to `failures`. */
async function downloadFromMirror(
  transfer: Transfer,
  url: string,
  failures: string[],
): Promise<Uint8Array | undefined> {
  const { part, file } = transfer;
  for (let tries = 0; tries < MAX_TRIES_PER_MIRROR; tries++) {
    const before = part.receivedBytes;
    const failure = await receiveRest(transfer, url);
    if (failure === undefined) {
      const content = await part.content();
      const digest = md5(content);
      if (digest === file.md5) return content;
      failures.push(`${hostOf(url)}: MD5 ${digest}`);
      await part.reset();
      // Bytes taken over from elsewhere may be to blame; this mirror has had its chance if all were its own.
      if (before === 0) return undefined;
      continue;
    }
    failures.push(`${hostOf(url)}: ${failure}`);
    if (part.receivedBytes <= before) return undefined;
  }
  return undefined;
}

/** Completes the part; returns in words why it could not. */
async function receiveRest(transfer: Transfer, url: string): Promise<string | undefined> {
  const { file, part, options } = transfer;
  if (part.receivedBytes > file.bytes) await part.reset();
  if (part.receivedBytes === file.bytes) return undefined;
  const watchdog = startWatchdog(options);
  try {
    const response = await request(url, part.receivedBytes, watchdog.signal);
    await receiveBody(response, transfer, url, watchdog);
    return part.receivedBytes === file.bytes ? undefined : `ended after ${part.receivedBytes} bytes`;
  } catch (cause) {
    options.signal?.throwIfAborted();
    // A full disk is not the mirror's fault: no other mirror would help.
    if (cause instanceof TramaError) throw cause;
    return reasonInWords(watchdog.timedOut() ?? cause);
  } finally {
    watchdog.stop();
  }
}

async function request(url: string, offset: number, signal: AbortSignal): Promise<Response> {
  // `identity`: a server that compresses on the fly would change the bytes that are counted and resumed.
  const headers: Record<string, string> = { "Accept-Encoding": "identity" };
  if (offset > 0) headers["Range"] = `bytes=${offset}-`;
  return fetch(url, { headers, signal, cache: "no-store" });
}

async function receiveBody(response: Response, transfer: Transfer, url: string, watchdog: Watchdog): Promise<void> {
  const { part, file, options } = transfer;
  const reader = response.body?.getReader();
  try {
    await alignPart(response, part);
    requireLength(response, file, part.receivedBytes);
    for (;;) {
      watchdog.expectBytes();
      const next = await reader?.read();
      if (next === undefined || next.done) return;
      if (part.receivedBytes + next.value.length > file.bytes) throw new Error(`more than ${file.bytes} bytes`);
      await part.append(next.value);
      options.onProgress?.({ file: file.name, receivedBytes: part.receivedBytes, totalBytes: file.bytes, url });
    }
  } finally {
    // An unread body would hold its connection, and with it the process, open.
    await reader?.cancel().catch(() => undefined);
  }
}

/** Makes the part end where the body begins. */
async function alignPart(response: Response, part: PartialFile): Promise<void> {
  if (response.status === 200) {
    if (part.receivedBytes > 0) await part.reset();
    return;
  }
  if (response.status !== 206) throw new Error(`HTTP ${response.status}`);
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  // Pages see this header only where the server's CORS rules show it; there the checksum has the last word.
  if (start !== undefined && Number(start) !== part.receivedBytes) throw new Error(`a range that begins at ${start}`);
}

/** Unmasks the log-in pages of guest networks and error pages sent as 200 before anything is kept of them. */
function requireLength(response: Response, file: PublishedFile, received: number): void {
  const length = response.headers.get("content-length");
  if (length === null || response.headers.has("content-encoding")) return;
  const total = received + Number(length);
  if (total !== file.bytes) throw new Error(`a file of ${total} bytes`);
}

interface Watchdog {
  readonly signal: AbortSignal;
  /** Called before each wait for a piece of the body. */
  expectBytes(): void;
  /** What ran out, if something did. */
  timedOut(): Error | undefined;
  stop(): void;
}

function startWatchdog({ timeouts, signal }: DownloadOptions): Watchdog {
  const limits = { ...DEFAULT_TIMEOUTS, ...timeouts };
  const controller = new AbortController();
  let expired: Error | undefined;
  const expireAfter = (milliseconds: number, what: string): ReturnType<typeof setTimeout> =>
    setTimeout(() => {
      expired = new Error(`${what} within ${milliseconds / 1000} s`);
      controller.abort(expired);
    }, milliseconds);
  let patience = expireAfter(limits.connectMs, "no answer");
  const whole = expireAfter(limits.requestMs, "not finished");
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([controller.signal, signal]),
    expectBytes: () => {
      clearTimeout(patience);
      patience = expireAfter(limits.idleMs, "nothing more");
    },
    timedOut: () => expired,
    stop: () => {
      clearTimeout(patience);
      clearTimeout(whole);
    },
  };
}

function reasonInWords(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Node's fetch says "fetch failed" and hides the reason, such as ENOTFOUND, in the cause.
  const inner = cause.cause;
  if (!(inner instanceof Error)) return cause.message;
  return "code" in inner ? String(inner.code) : inner.message;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
