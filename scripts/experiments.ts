/**
 * Runs experiments and writes their results beside the published ones into docs/results.md.
 *
 *   npm run experiments                   those that have no result in runs/ yet, one after the other
 *   npm run experiments -- s2 bn-convnet  those whose names begin so
 *   npm run experiments -- --table        none: the table only
 *   npm run experiments -- --force s1     without a GPU too, those that need one: they take days
 *
 * A training that was stopped is taken up where it was. Needs what `npm run build` makes.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import {
  parseExperiment,
  resultTable,
  settingsOf,
  transferTables,
  type Experiment,
  type ExperimentResult,
} from "../src/experiments/index.ts";
import { markdownTable } from "../src/report/index.ts";
import { openDevice } from "../src/tensor/index.ts";

process.chdir(join(import.meta.dirname, ".."));
const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const asked = (option: string): boolean => process.argv.includes(option);
const RUNS = "runs";
const PAGE = "docs/results.md";
const [BEGIN, END] = ["<!-- experiments: npm run experiments -->", "<!-- end of experiments -->"];
/** Above the tables of transferred networks, one for each set of classes. */
const LEGEND =
  "Networks with weights or frozen layers taken over: size of the file, time from the test images to their classes, mean power while it " +
  "learnt; and of each class recall / precision / negative predictive value. The studies' figures are accuracies.";

const names = readdirSync("experiments")
  .filter((name) => name.endsWith(".json") && name !== "schema.json")
  .map((name) => name.replace(/\.json$/, ""))
  .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
const read = (name: string): Experiment => parseExperiment(readFileSync(`experiments/${name}.json`, "utf8"), name);

if (!asked("--table")) {
  const hasGpu = asked("--force") || (await findsGpu());
  for (const name of names.filter((one) => words.length === 0 || words.some((word) => one.startsWith(word)))) {
    if (resultOf(name)?.complete === true) continue;
    if (read(name).needs === "gpu" && !hasGpu) console.log(`\n=== ${name}: needs a GPU, left out (--force runs it)`);
    else train(name);
  }
}
await writeTable();

function train(name: string): void {
  console.log(`\n=== ${name}`);
  const command = ["dist/cli/trama.js", "train", `experiments/${name}.json`, "--resume"];
  const { status } = spawnSync(process.execPath, command, { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

async function findsGpu(): Promise<boolean> {
  const device = await openDevice();
  await device.close();
  return !device.isSoftware;
}

/** What lies in runs/, if it is of the experiment as its file says it now. */
function resultOf(name: string): ExperimentResult | null {
  const file = join(RUNS, `${name}.json`);
  if (!existsSync(file)) return null;
  const result = JSON.parse(readFileSync(file, "utf8")) as ExperimentResult;
  const isSame = JSON.stringify(settingsOf(result.experiment)) === JSON.stringify(settingsOf(read(name)));
  return isSame ? { ...result, experiment: read(name) } : null;
}

async function writeTable(): Promise<void> {
  const results = names.map((name) => resultOf(name) ?? nothingOf(name));
  const transfer = transferTables(results).map(markdownTable);
  const tables = [markdownTable(resultTable(results)), ...(transfer.length > 0 ? [LEGEND] : []), ...transfer].join(
    "\n\n",
  );
  const page = readFileSync(PAGE, "utf8");
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no place for the table: ${BEGIN} … ${END}`);
  const text = `${page.slice(0, begin)}${BEGIN}\n\n${tables}\n\n${page.slice(end)}`;
  writeFileSync(PAGE, await format(text, { ...(await resolveConfig(PAGE)), filepath: PAGE }));
}

function nothingOf(name: string): ExperimentResult {
  const adapter = { name: "", kind: "" };
  const data = { origin: "", synthetic: false };
  return {
    version: "",
    name,
    experiment: read(name),
    reductions: [],
    adapter,
    data,
    parameters: 0,
    complete: false,
    runs: [],
  };
}
