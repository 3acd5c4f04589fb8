/**
 * The classical baseline's results on the whole of Fashion-MNIST: one line of the table per name, measured as it is printed.
 *
 *   node --conditions=source --import tsx bench/svm/results.ts [--workers 1] [--seed 42] [row …]
 *
 * Without row names all rows run (hours on one core). Each row trains on all 60,000 pictures of the training file and is
 * tested on the 10,000 of the test file, once. Parameters that were *chosen* (rows `tuned-*`) were chosen on a
 * stratified sixth of the training file: `--validate` trains on the other 50,000 and scores there, never on the test file.
 * Each row runs in a process of its own, for its peak memory.
 */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  compareLabels,
  defaultClassifier,
  defaultFeatures,
  extractFeatures,
  featureSettings,
  type HogOptions,
  type PipelineOptions,
  predictLabels,
  stratifiedSplit,
  supportVectorCount,
  trainClassifier,
} from "../../src/svm/index.ts";
import { pictures } from "./data.ts";

interface Row {
  readonly name: string;
  readonly what: string;
  readonly options: PipelineOptions;
  /** Published or scikit-learn's figures for the same configuration, to stand beside ours. */
  readonly beside: string;
}

const classic: HogOptions = { orientations: 9, pixelsPerCell: 4, cellsPerBlock: 2 };
const fine: HogOptions = {
  orientations: 12,
  signed: true,
  pixelsPerCell: 4,
  cellsPerBlock: 2,
  norm: "L1-sqrt",
  transformSqrt: true,
  interpolation: "trilinear",
};
const rbf = (C: number, gamma: number | "scale" = "scale") =>
  ({ type: "svc", kernel: { type: "rbf", gamma }, C }) as const;

const rows: readonly Row[] = [
  {
    name: "s0-36",
    what: "HOG 9, 14×14, 2×2 (36 features), RBF C 1",
    options: { features: { orientations: 9, pixelsPerCell: 14, cellsPerBlock: 2 }, classifier: rbf(1) },
    beside: "S0: .7103 (its settings are not published)",
  },
  {
    name: "s0-81",
    what: "HOG 9, 8×8, 3×3 (81 features), RBF C 1",
    options: { features: { orientations: 9, pixelsPerCell: 8, cellsPerBlock: 3 }, classifier: rbf(1) },
    beside: "S0: .7103 … .8189",
  },
  {
    name: "s0-144",
    what: "HOG 9, 8×8, 2×2 (144 features), RBF C 1",
    options: { features: { orientations: 9, pixelsPerCell: 8, cellsPerBlock: 2 }, classifier: rbf(1) },
    beside: "S0: .8189 (at most 144 features)",
  },
  {
    name: "linear",
    what: "HOG 9, 4×4, 2×2 (1,296), linear, squared hinge, C .1",
    options: { features: classic, classifier: { type: "linear", C: 0.1 } },
    beside: "scikit-learn: .8893, 34 s",
  },
  {
    name: "crammer-singer",
    what: "the same, Crammer–Singer, C .1",
    options: {
      features: classic,
      classifier: { type: "linear", multiclass: "crammer-singer", C: 0.1, tolerance: 0.1 },
    },
    beside: "–",
  },
  {
    name: "sgd",
    what: "the same, averaged SGD, hinge, C .1, 5 passes",
    options: { features: classic, classifier: { type: "linear", solver: "sgd", loss: "hinge", C: 0.1, maxEpochs: 5 } },
    beside: "–",
  },
  {
    name: "rbf",
    what: "HOG 9, 4×4, 2×2 (1,296), RBF, C 10, γ scale",
    options: { features: classic, classifier: rbf(10) },
    beside: "scikit-learn: .9136, 23,108 vectors, 503 s + 178 s",
  },
  {
    name: "tuned",
    what: "HOG 12 signed, 4×4, 2×2, L1-sqrt, √, trilinear (1,728), RBF, C 10, γ 0.1",
    options: { features: fine, classifier: rbf(10, 0.1) },
    beside: "community: .926; aim: .92",
  },
  {
    name: "pixels",
    what: "784 pixels / 255, RBF, C 10, γ scale",
    options: { features: "pixels", classifier: rbf(10) },
    beside: "paper: .897",
  },
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: "string" },
    seed: { type: "string", default: "42" },
    validate: { type: "boolean", default: false },
    one: { type: "boolean", default: false },
  },
});
if (values.one) await runRow(rows.find(({ name }) => name === positionals[0]) as Row);
else runAll();

function runAll(): void {
  const names = positionals.length > 0 ? positionals : rows.map(({ name }) => name);
  console.log(
    "| row | configuration | accuracy | support vectors | features s (CPU) | train s (CPU) | predict s (CPU) | peak RSS MiB | workers | beside |",
  );
  console.log(`|${" --- |".repeat(10)}`);
  for (const name of names) {
    if (!rows.some((row) => row.name === name)) {
      throw new Error(`no row ${name}; there are ${rows.map((row) => row.name).join(", ")}`);
    }
    const flags = [
      ...(values.workers === undefined ? [] : ["--workers", values.workers]),
      "--seed",
      values.seed,
      ...(values.validate ? ["--validate"] : []),
    ];
    const args = [...process.execArgv, fileURLToPath(import.meta.url), "--one", ...flags, name];
    process.stdout.write(
      execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }),
    );
  }
}

async function runRow({ name, what, options, beside }: Row): Promise<void> {
  const file = pictures("train");
  const seed = Number(values.seed);
  const { train, test } = values.validate
    ? stratifiedSplit(file.labels, 1 / 6, seed)
    : { train: Int32Array.from(file.labels.keys()), test: Int32Array.from({ length: 10_000 }, (_, i) => i) };
  const testFile = values.validate ? file : pictures("t10k");
  const work = values.workers === undefined ? {} : { workers: Number(values.workers) };
  const images = file.take(train);
  const labels = train.map((i) => file.labels[i] as number);

  const scales = featureSettings(options.features ?? defaultFeatures);
  const features = await timed(() => extractFeatures(images, scales, work));
  const trained = await timed(() =>
    trainClassifier(features.value, labels, options.classifier ?? defaultClassifier, work),
  );
  const queries = await extractFeatures(testFile.take(test), scales, work);
  const predicted = await timed(() => predictLabels(trained.value, queries, work));
  const truth = test.map((i) => testFile.labels[i] as number);
  const cells = [
    name,
    what + (values.validate ? " — validation split" : ""),
    compareLabels(truth, predicted.value, trained.value.classes).accuracy.toFixed(4),
    String(supportVectorCount(trained.value)),
    features.seconds,
    trained.seconds,
    predicted.seconds,
    (process.resourceUsage().maxRSS / 1024).toFixed(0),
    values.workers ?? "all",
    beside,
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** What `run` gives, and its seconds: wall (CPU of all threads). */
async function timed<T>(run: () => Promise<T>): Promise<{ value: T; seconds: string }> {
  const [begun, used] = [performance.now(), process.cpuUsage()];
  const value = await run();
  const { user, system } = process.cpuUsage(used);
  return {
    value,
    seconds: `${((performance.now() - begun) / 1000).toFixed(1)} (${((user + system) / 1e6).toFixed(1)})`,
  };
}
