/** `trama svm grid`: which features and which machine do best, by stratified cross validation. */
import type { Command } from "commander";
import { writeFileAtomic } from "#files";
import type { ImageDataset } from "../../data/index.ts";
import { OptionError } from "../../errors.ts";
import {
  gridCandidates,
  gridHeatMap,
  gridSearch,
  gridTable,
  type GridResult,
  type GridSpace,
  type GridState,
  type HeatMap,
  type Validation,
} from "../../svm/index.ts";
import { VERSION } from "../../weights/index.ts";
import { introduceData, loadFirstImages } from "../datasets.ts";
import { InterruptedError, stoppable } from "../interruption.ts";
import {
  positiveNumber,
  share,
  wholeNumber,
  withDataOptions,
  withOutputOptions,
  type DataOptions,
} from "../options.ts";
import { perform } from "../perform.ts";
import { requireWritable, RUNS } from "../runs.ts";
import type { OutputOptions, Terminal } from "../terminal.ts";
import { count, duration, labelled, listed, score, table } from "../text.ts";
import { nameOf, pathOf, readLists, spaceOf, type Lists } from "./gridSpace.ts";
import { foldsOf, openState, StateWriter } from "./gridState.ts";
import {
  names,
  PRESET_NOTES,
  requireFeatures,
  withLists,
  withPreset,
  type PresetOption,
  type SolverOptions,
} from "./settings.ts";
import { batchOf, ProgressLine, stopped, withWorkers, type WorkersOption } from "./work.ts";

interface GridCommandOptions extends OutputOptions, DataOptions, PresetOption, SolverOptions, WorkersOption, Lists {
  readonly space?: string;
  readonly images?: number;
  readonly folds: number;
  readonly holdOut?: number;
  readonly state: string;
  readonly resume?: boolean;
  readonly top: number;
  readonly markdown?: string;
  readonly heatMap?: string;
}

const EXAMPLES = `${PRESET_NOTES}

Examples:
  trama svm grid --C 1,10 --gamma scale,0.05 --cell 4,7 --images 6000
  trama svm grid --space space.json --hold-out 0.2 --heat-map gamma,C
  trama svm grid --space space.json --resume

A space in a file is lists by option, for instance {"C": [1, 10], "gamma": ["scale", 0.05], "cell": [4, 7]}; options
add to it. All combinations are tried, on the same folds of the training images; the test images have no part in it.
Ctrl-C stops; finished folds are in the state file, and the same command with --resume goes on from there.`;

export function addSvmGrid(svm: Command): void {
  const command = svm
    .command("grid")
    .description("search HOG and SVM parameters together, by stratified cross validation on all cores")
    .option("--space <file>", "JSON file of lists by option")
    .option("--images <n>", "take only the first N training images", wholeNumber(1));
  withWorkers(withLists(withPreset(command)))
    .option("--folds <n>", "parts of the images, each held out once", wholeNumber(2), 5)
    .option("--hold-out <share>", "hold out one such part only, in place of folds", share)
    .option("--tolerance <x>", "greatest violation of the KKT conditions at the end (default: 0.001)", positiveNumber)
    .option("--balanced", "weigh classes so that all weigh the same together")
    .option("--cache <MiB>", "memory for rows of the kernel matrix, of each thread", positiveNumber, 256)
    .option("--seed <n>", "of the folds and of the linear solver's order", wholeNumber(0), 42)
    .option("--state <file>", "where finished folds are kept", `${RUNS}/svm-grid.json`)
    .option("--resume", "go on from the state file")
    .option("--top <n>", "candidates to show", wholeNumber(1), 20)
    .option("--markdown <file>", "also write the whole table there, as Markdown")
    .option("--heat-map <rows,columns>", "two options to show against each other (default: those searched, if two)");
  withOutputOptions(withDataOptions(command))
    .addHelpText("after", EXAMPLES)
    .action((options: GridCommandOptions) => perform(options, (terminal) => grid(options, terminal)));
}

async function grid(options: GridCommandOptions, terminal: Terminal): Promise<void> {
  const given = Object.fromEntries(
    names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
  const lists: Lists = { ...(options.space === undefined ? {} : await readLists(options.space)), ...given };
  const space = spaceOf(options.preset, lists, options);
  const axes = axesOf(options.heatMap, lists);
  await requireWritable(options.state, "--state");
  if (options.markdown !== undefined) await requireWritable(options.markdown, "--markdown");
  terminal.say(terminal.bold(`Trama ${VERSION}`), "");
  await stoppable(
    terminal,
    async (signal) => {
      const { train: images } = await loadFirstImages(options, options.images, terminal, { signal });
      for (const features of space.features) requireFeatures(features, images.shape);
      const state = await openState(options.state, images.origin, options.resume === true);
      introduce(images, space, state, options, terminal);
      const begun = performance.now();
      const result = await search(images, space, state, options, terminal, signal);
      await tell(result, axes, (performance.now() - begun) / 1000, options, terminal);
    },
    {
      notice: "Stopping; finished folds are kept. Once more ends at once.",
      reason: () => stopped("svm grid", "an interruption before the search began"),
    },
  );
}

function axesOf(heatMap: string | undefined, lists: Lists): readonly [string, string] | undefined {
  const several = Object.entries(lists).flatMap(([name, values]) => (values.length > 1 ? [name] : []));
  const [rows, columns, ...rest] = heatMap === undefined ? several : heatMap.split(",");
  if (rows === undefined || columns === undefined || rest.length > 0) {
    if (heatMap === undefined) return undefined;
    throw new OptionError({ where: "--heat-map", expected: "two names with a comma between", got: heatMap });
  }
  return [pathOf(rows.trim()), pathOf(columns.trim())];
}

const validationOf = ({ folds, holdOut = 0 }: GridCommandOptions): Validation =>
  holdOut > 0 ? { holdOut } : { folds };

function introduce(
  images: ImageDataset,
  space: GridSpace,
  state: GridState | undefined,
  options: GridCommandOptions,
  terminal: Terminal,
): void {
  const candidates = gridCandidates(space).length;
  const validation = validationOf(options);
  const folds = "folds" in validation ? validation.folds : 1;
  introduceData(images, `${count(images.count)} images · ${images.classNames.length} classes`, terminal);
  const plan = listed([
    `${count(candidates)} candidates`,
    "folds" in validation ? `${folds} folds` : `${(100 * validation.holdOut).toFixed(0)} % held out`,
    `${count(candidates * folds)} trainings`,
    `seed ${options.seed}`,
  ]);
  const done = state === undefined ? 0 : foldsOf(state).done;
  terminal.say(...labelled(terminal.bold("Plan"), plan, terminal.width));
  if (state !== undefined) terminal.say(...labelled("", `resumed: ${count(done)} are done`, terminal.width));
  terminal.say(...labelled("", terminal.dim(`finished folds are kept in ${options.state}`), terminal.width), "");
  terminal.event("begin", {
    version: VERSION,
    data: { origin: images.origin, synthetic: images.synthetic, images: images.count },
    space,
    candidates,
    validation,
    trainings: candidates * folds,
    done,
    seed: options.seed,
    state: options.state,
  });
}

async function search(
  images: ImageDataset,
  space: GridSpace,
  state: GridState | undefined,
  options: GridCommandOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<GridResult> {
  const line = new ProgressLine(terminal);
  const writer = new StateWriter(options.state, images.origin);
  let last = state;
  const onState = (next: GridState): void => {
    last = next;
    writer.keep(next);
    const { done, total } = foldsOf(next);
    terminal.event("fold", { done, total });
    if (!process.stdout.isTTY && terminal.showsProgress) terminal.say(`fold ${done} of ${total} done`);
  };
  const choice = {
    validation: validationOf(options),
    seed: options.seed,
    ...(state === undefined ? {} : { state }),
  };
  const workers = options.workers === undefined ? {} : { workers: options.workers };
  try {
    signal.throwIfAborted();
    const work = { signal, onProgress: line.report, onState, ...workers };
    return await gridSearch(batchOf(images), images.labels, space, choice, work);
  } catch (error) {
    if (!signal.aborted || last === undefined) throw error;
    const { done, total } = foldsOf(last);
    const kept = `an interruption; ${done} of ${total} folds are kept in ${options.state}`;
    throw new InterruptedError({
      where: "svm grid",
      expected: "to be left running",
      got: kept,
      advice: "give the same command with --resume to go on",
    });
  } finally {
    line.clear();
    await writer.settle();
  }
}

async function tell(
  result: GridResult,
  axes: readonly [string, string] | undefined,
  seconds: number,
  options: GridCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { rows, best } = result;
  const [head = [], , ...lines] = gridTable(result, options.top)
    .split("\n")
    .map((line) => line.slice(2, -2).split(" | "));
  const titles = head.map(nameOf);
  const [title = "", ...body] = table([titles, ...lines], "r".repeat(titles.length));
  terminal.say("", terminal.bold(title), ...body, "");
  if (rows.length > options.top) terminal.say(`${count(rows.length - options.top)} more are not shown: --top.`, "");
  rows.forEach((row, rank) => terminal.event("candidate", { rank: rank + 1, ...row }));
  for (const warning of new Set(rows.flatMap((row) => row.scores.flatMap(({ warnings }) => warnings)))) {
    terminal.notice(warning);
  }
  const map = axes === undefined ? undefined : gridHeatMap(result, ...axes);
  if (map !== undefined) showHeatMap(map, terminal);
  if (options.markdown !== undefined) {
    await writeFileAtomic(options.markdown, new TextEncoder().encode(`${gridTable(result)}\n`));
    terminal.say(`The whole table is in ${options.markdown}.`, "");
  }
  terminal.say(`Time: ${duration(seconds)}`);
  terminal.detail(`Best: ${JSON.stringify(best.options)}`);
  terminal.event("end", {
    best: { candidate: best.candidate, options: best.options, mean: best.mean, deviation: best.deviation },
    seconds,
    markdown: options.markdown ?? null,
  });
  terminal.result(`Best accuracy: ${score(best.mean)} ± ${score(best.deviation)}`);
}

/** Best accuracy over two parameters; the best of all is bold. */
function showHeatMap(map: HeatMap, terminal: Terminal): void {
  const { rowAxis, columnAxis, rows, columns, values } = map;
  const top = values.reduce((most, value) => (value > most ? value : most), 0);
  const cell = (r: number, c: number): string => {
    const value = values[r * columns.length + c] ?? NaN;
    const text = Number.isNaN(value) ? "–" : score(value);
    return value === top ? terminal.bold(text) : text;
  };
  const cells = rows.map((row, r) => [row].concat(columns.map((_, c) => cell(r, c))));
  const head = [`${nameOf(rowAxis)} \\ ${nameOf(columnAxis)}`, ...columns];
  terminal.say(
    "Best accuracy of any candidate with these two:",
    ...table([head, ...cells], "r".repeat(head.length)),
    "",
  );
  terminal.event("heatMap", { ...map, values: [...values].map((value) => (Number.isNaN(value) ? null : value)) });
}
