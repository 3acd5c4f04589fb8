/** `trama data fetch` and `verify`: the four files of Fashion-MNIST. */
import type { Command } from "commander";
import { cacheDirectory, environmentVariable, joinPath, readFile } from "#files";
import {
  FASHION_FILES,
  findFashionFiles,
  loadFashionMnist,
  readFashionFile,
  type FashionFile,
} from "../../data/index.ts";
import { DataError, TramaError } from "../../errors.ts";
import { showLoading } from "../datasets.ts";
import { withOutputOptions, type DataOptions } from "../options.ts";
import { Incomplete, perform } from "../perform.ts";
import type { OutputOptions, Terminal } from "../terminal.ts";
import { count, fileSize, table } from "../text.ts";

type Options = DataOptions & OutputOptions;

const FOLDER_OPTION = "folder of the four files (default: TRAMA_DATA, else the cache)";

export function addFetch(data: Command): void {
  withOutputOptions(
    data.command("fetch").description("download Fashion-MNIST (31 MB) to the cache, checking its checksums"),
  )
    .addHelpText(
      "after",
      "\nFiles that are there and sound are not downloaded again; a broken download is taken up where it ended.",
    )
    .action((options: Options) => perform(options, fetchData));
}

export function addVerify(data: Command): void {
  withOutputOptions(data.command("verify").description("check the four files against their published checksums"))
    .option("--data <dir>", FOLDER_OPTION)
    .action((options: Options) => perform(options, (terminal) => verify(options, terminal)));
}

async function fetchData(terminal: Terminal): Promise<void> {
  const folder = environmentVariable("TRAMA_DATA");
  if (folder !== undefined) {
    terminal.notice(`TRAMA_DATA is set: other commands read ${folder}, and not the cache that this one fills.`);
    delete process.env["TRAMA_DATA"];
  }
  const { train, test } = await loadFashionMnist({ synthetic: "never", onProgress: showLoading(terminal) });
  const place = cacheFolder();
  terminal.event("fetched", { folder: place, training: train.count, test: test.count, origin: train.origin });
  terminal.result(`${count(train.count)} training and ${count(test.count)} test images are in ${place}, MD5 verified.`);
}

function cacheFolder(): string {
  return joinPath(cacheDirectory(), "fashion-mnist");
}

/** What became of one of the four files. */
interface Verdict {
  readonly file: FashionFile;
  readonly location: string | null;
  readonly bytes: number;
  /** Why it is not to be used; null when it is sound. */
  readonly fault: string | null;
}

async function verify(options: Options, terminal: Terminal): Promise<void> {
  const folder = options.data ?? environmentVariable("TRAMA_DATA") ?? cacheFolder();
  const found = await findFashionFiles(folder);
  const files = Object.values(FASHION_FILES);
  const verdicts = await Promise.all(files.map((file) => judge(file, found.get(file))));
  for (const { file, ...rest } of verdicts) {
    terminal.event("file", { name: file.name, sound: rest.fault === null, ...rest });
  }
  const rows = verdicts.map(({ file, location, bytes, fault }) => [
    fault === null ? terminal.good("sound") : terminal.warning(location === null ? "missing" : "broken"),
    location ?? joinPath(folder, file.name),
    location === null ? "" : fileSize(bytes),
  ]);
  terminal.result(...table(rows, "llr"));
  const faults = verdicts.filter(({ fault }) => fault !== null);
  for (const { fault, location } of faults) if (location !== null) process.stderr.write(`trama: ${fault}\n`);
  if (found.size === 0) {
    throw new DataError({
      where: folder,
      expected: "files of Fashion-MNIST",
      got: "none",
      advice: "run `trama data fetch`",
    });
  }
  if (faults.length > 0) throw new Incomplete();
}

async function judge(file: FashionFile, location: string | undefined): Promise<Verdict> {
  if (location === undefined) return { file, location: null, bytes: 0, fault: "missing" };
  let bytes = 0;
  try {
    const content = await readFile(location);
    bytes = content.length;
    await readFashionFile(content, file, location);
    return { file, location, bytes, fault: null };
  } catch (error) {
    if (!(error instanceof TramaError)) throw error;
    return { file, location, bytes, fault: error.message };
  }
}
