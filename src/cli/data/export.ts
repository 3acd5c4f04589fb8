/** `trama data export`: a data set as CSV, as IDX, or as a folder of PNG files. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Option, type Command } from "commander";
import { writeFileAtomic } from "#files";
import { encodeCsv, encodeIdx, encodePng, imageLength, type ImageDataset } from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import { perform } from "../perform.ts";
import { requireWritable } from "../runs.ts";
import type { Terminal } from "../terminal.ts";
import { count, table } from "../text.ts";
import { partOf, withSource, withSourceOptions, type SourceOptions } from "./sources.ts";

interface ExportOptions extends SourceOptions {
  readonly to: "csv" | "idx" | "png";
  readonly out: string;
  readonly part?: string;
  readonly header: boolean;
  readonly force?: boolean;
}

/** PNG files written at the same time. */
const CONCURRENCY = 16;

export function addExport(data: Command): void {
  withSourceOptions(data.command("export").description("write a data set as CSV, IDX, or a folder of PNG files"))
    .addOption(new Option("--to <form>", "what to write").choices(["csv", "idx", "png"]).makeOptionMandatory())
    .requiredOption("--out <dir>", "folder to write to")
    .option("--part <name>", "one part only (default: all)")
    .option("--no-header", "CSV without a first line of names")
    .option("--force", "write into a folder that has files in it")
    .action((options: ExportOptions) =>
      perform(options, async (terminal) => {
        await requireEmpty(options);
        await withSource(options, terminal, async (source) => {
          const parts = options.part === undefined ? Object.entries(source.parts) : [partOf(source, options.part)];
          const written: Written[] = [];
          for (const [name, part] of parts) written.push(...(await write(name, part, options)));
          tell(written, terminal);
        });
      }),
    );
}

interface Written {
  readonly part: string;
  /** Files, or the folder of many. */
  readonly path: string;
  readonly files: number;
  readonly images: number;
}

async function write(part: string, dataset: ImageDataset, options: ExportOptions): Promise<Written[]> {
  const images = dataset.count;
  if (options.to === "csv") {
    const path = join(options.out, `${part}.csv`);
    await writeFileAtomic(path, encodeCsv(dataset, { header: options.header }));
    return [{ part, path, files: 1, images }];
  }
  if (options.to === "png") {
    const path = join(options.out, part);
    await writePngs(path, dataset);
    return [{ part, path, files: images, images }];
  }
  const [height, width, channels] = dataset.shape;
  const stem = join(options.out, part === "test" ? "t10k" : part);
  const shape = channels === 1 ? [images, height, width] : [images, height, width, channels];
  const paths = [`${stem}-images-idx${shape.length}-ubyte`, `${stem}-labels-idx1-ubyte`] as const;
  await writeFileAtomic(paths[0], encodeIdx({ type: "uint8", shape, data: dataset.images }));
  await writeFileAtomic(paths[1], encodeIdx({ type: "uint8", shape: [images], data: dataset.labels }));
  return paths.map((path) => ({ part, path, files: 1, images }));
}

/** `Ankle boot/00007.png`: one folder a class, named as the class as far as file systems allow. */
async function writePngs(
  folder: string,
  { images, labels, shape, classNames, count: total }: ImageDataset,
): Promise<void> {
  const folders = classNames.map((name) => join(folder, name.replace(/[/\\:*?"<>|]/g, "-")));
  await Promise.all(folders.map((path) => mkdir(path, { recursive: true })));
  const length = imageLength(shape);
  const digits = String(total - 1).length;
  const writeOne = async (index: number): Promise<void> => {
    const png = await encodePng({ pixels: images.subarray(index * length, (index + 1) * length), shape });
    await writeFile(join(folders[labels[index]!]!, `${String(index).padStart(digits, "0")}.png`), png);
  };
  for (let at = 0; at < total; at += CONCURRENCY) {
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY, total - at) }, (_, more) => writeOne(at + more)));
  }
}

function tell(written: readonly Written[], terminal: Terminal): void {
  for (const one of written) terminal.event("exported", { ...one });
  const rows = written.map(({ part, path, files, images }) => [
    part,
    `${count(images)} images`,
    files === 1 ? path : `${count(files)} files in ${path}`,
  ]);
  terminal.result("", ...table(rows, "lrl"));
}

/** What is in the way is the user's, and not ours to replace. */
async function requireEmpty({ out, force }: ExportOptions): Promise<void> {
  await requireWritable(join(out, ".trama"));
  const found = await readdir(out);
  if (force === true || found.length === 0) return;
  const got = `${count(found.length)} files in it, such as ${found[0]}`;
  throw new OptionError({
    where: `--out ${out}`,
    expected: "an empty or new folder",
    got,
    advice: "say --force to add to it",
  });
}
