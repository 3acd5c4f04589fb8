/** The file of a run: JSON, written wholly or not at all, checked when it is read. */
import { readFile, writeFileAtomic } from "#files";
import { FormatError } from "../../errors.ts";
import { RUN_FORMAT, type RunRecord } from "./record.ts";

/** Where a run's record lies, beside its model: `runs/convnet.safetensors` has `runs/convnet.run.json`. */
export function runFileOf(model: string): string {
  return `${model.replace(/\.safetensors$/, "")}.run.json`;
}

/** @throws {FileError} when it cannot be written. */
export async function writeRun(location: string | URL, record: RunRecord): Promise<void> {
  await writeFileAtomic(location, new TextEncoder().encode(`${JSON.stringify(record)}\n`));
}

/** @throws {FileError} when it cannot be read. @throws {FormatError} when it is no run, or of another format. */
export async function readRun(location: string | URL): Promise<RunRecord> {
  return parseRun(new TextDecoder().decode(await readFile(location)), String(location));
}

/** @param file what errors call it. */
export function parseRun(text: string, file = "run"): RunRecord {
  const expected = "what a run of `trama train` left behind";
  let fields: Partial<RunRecord> | null;
  try {
    fields = JSON.parse(text) as Partial<RunRecord> | null;
  } catch (cause) {
    throw new FormatError({ where: file, expected, got: "no JSON" }, { cause });
  }
  if (typeof fields !== "object" || fields?.trama !== "run") {
    throw new FormatError({ where: file, expected, got: "other JSON" });
  }
  if (fields.format !== RUN_FORMAT) {
    throw new FormatError({
      where: file,
      expected: `a run of format ${RUN_FORMAT}`,
      got: `format ${JSON.stringify(fields.format)}, written by Trama ${JSON.stringify(fields.version)}`,
      advice: "install a newer version of Trama",
    });
  }
  const missing = FIELDS.find((field) => fields[field] === undefined);
  if (missing !== undefined) throw new FormatError({ where: file, expected: `the field "${missing}"`, got: "none" });
  return fields as RunRecord;
}

const FIELDS = [
  "version",
  "name",
  "ended",
  "seed",
  "adapter",
  "data",
  "model",
  "configuration",
  "training",
  "test",
  "deviceBytes",
  "hardware",
  "pictures",
] as const satisfies readonly (keyof RunRecord)[];
