/** The data of a command: loaded with its progress shown, and introduced with its origin. */
import {
  loadFashionMnist,
  takeImages,
  type FashionMnist,
  type FashionMnistOptions,
  type ImageDataset,
  type LoadProgress,
} from "../data/index.ts";
import type { DataOptions } from "./options.ts";
import type { Terminal } from "./terminal.ts";
import { box, fileSize, labelled, wrap } from "./text.ts";

/** Loads what the options ask for; failing all, synthetic garments, of which `introduceData` makes no secret. */
export function loadData(
  { data, synthetic = false }: DataOptions,
  terminal: Terminal,
  more: Pick<FashionMnistOptions, "signal" | "syntheticOptions" | "language"> = {},
): Promise<FashionMnist> {
  return loadFashionMnist({
    ...(data === undefined ? {} : { directory: data }),
    synthetic: synthetic ? "always" : "fallback",
    onProgress: showLoading(terminal),
    ...more,
  });
}

/**
 * `loadData` with the first `images` of the training set only. Synthetic images are drawn to measure; of the real ones all
 * are read, and the first are taken. Rejects with the signal's reason once it is aborted.
 */
export async function loadFirstImages(
  options: DataOptions,
  images: number | undefined,
  terminal: Terminal,
  more: { readonly signal: AbortSignal } & Pick<FashionMnistOptions, "language">,
): Promise<FashionMnist> {
  const { signal } = more;
  const drawn =
    images === undefined
      ? {}
      : { trainCount: images, testCount: Math.max(200, Math.min(2_000, Math.round(images / 5))) };
  const data = await loadData(options, terminal, { ...more, syntheticOptions: drawn }).catch((cause: unknown) => {
    throw signal.aborted ? signal.reason : cause;
  });
  return { test: data.test, train: images === undefined ? data.train : takeImages(data.train, images) };
}

/** A callback that shows downloads in one line each, and notices as they come. */
export function showLoading(terminal: Terminal): (progress: LoadProgress) => void {
  let shown = -1;
  return (progress) => {
    if (progress.kind === "notice") {
      terminal.notice(progress.message);
      return;
    }
    const { file, receivedBytes, totalBytes, url } = progress;
    const percent = Math.floor((100 * receivedBytes) / totalBytes);
    if (percent === shown) return;
    shown = percent;
    const done = receivedBytes === totalBytes;
    const line = `Downloading ${file} from ${new URL(url).host} · ${fileSize(receivedBytes)} of ${fileSize(totalBytes)}`;
    if (done) terminal.event("download", { file, bytes: totalBytes, url });
    if (!terminal.showsProgress) return;
    if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}${done ? "\n" : ""}`);
    else if (done) terminal.say(line);
  };
}

/** Says where data comes from, and says it loudly when it is not the real thing. */
export function introduceData({ origin, synthetic }: ImageDataset, counts: string, terminal: Terminal): void {
  if (synthetic) warnOfSynthetic(origin, terminal);
  else terminal.say(...labelled(terminal.bold("Data"), origin, terminal.width));
  terminal.say(...labelled(synthetic ? terminal.bold("Data") : "", counts, terminal.width));
}

function warnOfSynthetic(origin: string, terminal: Terminal): void {
  if (terminal.quiet) terminal.notice(origin);
  const lines = [
    "SYNTHETIC DATA: garments drawn by Trama, not photographs.",
    "Scores on them say nothing about Fashion-MNIST or about pictures of yours.",
    origin,
  ].flatMap((line) => wrap(line, terminal.width - 4));
  terminal.say("", ...box(lines).map((line) => terminal.warning(line)), "");
}
