/**
 * Trama's kernel machine beside LIBSVM compiled to WebAssembly (`libsvm-wasm`, `libsvm-js`) and `ml-svm`, in one run: RBF,
 * C 10, γ "scale", tolerance 1e-3, the same 10,000 HOG vectors (9 orientations, 4×4 cells, 2×2 blocks: 1,296
 * features) of Fashion-MNIST, the same cache budget. Every contestant runs in a process of its own, one after another, so that
 * memory and compiled code of one do not disturb the next.
 *
 *   node --conditions=source --import tsx bench/svm/peers.ts [samples] [queries] [cache MiB]
 *
 * `libsvm-js`, `libsvm-wasm` and `ml-svm` come from this project, or from the folder that TRAMA_PEERS names. `ml-svm` knows
 * two classes only, keeps the whole kernel matrix, and stops after a fixed number of passes: it gets two classes
 * (T-shirt, shirt), and Trama a second line with the same.
 */
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { hog, svcPredict, trainSvc } from "../../src/svm/index.ts";
import { pictures } from "./data.ts";

interface Task {
  readonly train: Float32Array;
  readonly labels: number[];
  readonly queries: Float32Array;
  readonly truth: number[];
  readonly columns: number;
  readonly gamma: number;
  readonly cacheMiB: number;
}

/** Seconds of the clock, and of all threads of the process: other work on the machine inflates the latter less. */
interface Stage {
  readonly wall: number;
  readonly cpu: number;
}

interface Result {
  readonly train: Stage;
  readonly predict: Stage;
  readonly accuracy: number;
  readonly supportVectors: number | null;
}

const pairLabels = [0, 6];
const [samples = 10_000, queries = 2_000, cacheMiB = 512] = process.argv
  .slice(2)
  .map(Number)
  .filter((value) => !Number.isNaN(value));
const contestant = process.env["TRAMA_CONTESTANT"];
if (contestant === undefined) runAll();
else await runOne(contestant);

function runAll(): void {
  const loads = [
    "trama, 1 worker",
    "trama, 2 workers",
    "libsvm-wasm",
    "libsvm-js",
    "trama, 1 worker, two classes",
    "ml-svm, two classes",
  ];
  console.log(
    `| contestant | train s (CPU) | predict s (CPU) | accuracy | support vectors | peak RSS MiB |\n| --- | --- | --- | --- | --- | --- |`,
  );
  for (const name of loads) {
    const args = [
      ...process.execArgv,
      fileURLToPath(import.meta.url),
      String(samples),
      String(queries),
      String(cacheMiB),
    ];
    try {
      const text = execFileSync(process.execPath, args, {
        env: { ...process.env, TRAMA_CONTESTANT: name },
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
      console.log(text.trim().split("\n").at(-1));
    } catch (error) {
      console.log(
        `| ${name} | failed: ${String((error as { stderr?: string }).stderr ?? error)
          .trim()
          .split("\n")
          .at(-1)} | | | | |`,
      );
    }
  }
}

async function runOne(name: string): Promise<void> {
  const task = await makeTask(name.includes("two classes"));
  const result = await contest(name, task);
  const seconds = ({ wall, cpu }: Stage): string => `${wall.toFixed(2)} (${cpu.toFixed(2)})`;
  const cells = [
    name,
    seconds(result.train),
    seconds(result.predict),
    result.accuracy.toFixed(4),
    String(result.supportVectors ?? "–"),
    (process.resourceUsage().maxRSS / 1024).toFixed(0),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

/** The same vectors for everyone. */
async function makeTask(twoClasses: boolean): Promise<Task> {
  const options = { orientations: 9, pixelsPerCell: 4, cellsPerBlock: 2 };
  const [train, test] = [pictures("train"), pictures("t10k")];
  const first = (labels: Int32Array, count: number): number[] => {
    const all = Array.from(labels.keys()).filter((i) => !twoClasses || pairLabels.includes(labels[i] as number));
    return all.slice(0, count);
  };
  const [a, b] = [first(train.labels, twoClasses ? 1000 : samples), first(test.labels, queries)];
  const [x, q] = [await hog(train.take(a), options), await hog(test.take(b), options)];
  const mean = x.data.reduce((sum, value) => sum + value, 0) / x.data.length;
  const variance = x.data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.data.length;
  return {
    train: x.data,
    labels: a.map((i) => train.labels[i] as number),
    queries: q.data,
    truth: b.map((i) => test.labels[i] as number),
    columns: x.columns,
    gamma: 1 / (x.columns * variance),
    cacheMiB,
  };
}

async function contest(name: string, task: Task): Promise<Result> {
  if (name.startsWith("trama")) return trama(task, name.includes("2 workers") ? 2 : 1);
  if (name === "libsvm-js") return libsvmJs(task);
  if (name === "libsvm-wasm") return libsvmWasm(task);
  return mlSvm(task);
}

async function timed(
  train: () => Promise<number | null> | number | null,
  predict: () => Promise<ArrayLike<number>> | ArrayLike<number>,
  { truth }: Task,
): Promise<Result> {
  const begun = now();
  const supportVectors = await train();
  const trained = now();
  const predicted = await predict();
  const end = now();
  const hits = truth.filter((label, i) => label === predicted[i]).length;
  return {
    train: between(begun, trained),
    predict: between(trained, end),
    accuracy: hits / truth.length,
    supportVectors,
  };
}

function now(): Stage {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now() / 1000, cpu: (user + system) / 1e6 };
}

function between(a: Stage, b: Stage): Stage {
  return { wall: b.wall - a.wall, cpu: b.cpu - a.cpu };
}

async function trama(task: Task, workers: number): Promise<Result> {
  const matrix = (data: Float32Array) => ({ data, columns: task.columns, rows: data.length / task.columns });
  let model: Awaited<ReturnType<typeof trainSvc>>;
  const options = { kernel: { type: "rbf", gamma: task.gamma }, C: 10, cacheBytes: task.cacheMiB * 2 ** 20 } as const;
  return timed(
    async () => {
      model = await trainSvc(matrix(task.train), task.labels, options, { workers });
      return model.supportIndices.length;
    },
    async () => svcPredict(model, matrix(task.queries), { workers }),
    task,
  );
}

function peer(name: string): unknown {
  const folder = process.env["TRAMA_PEERS"];
  try {
    return createRequire(import.meta.url)(name);
  } catch {
    return createRequire(`${folder ?? "."}/package.json`)(name);
  }
}

function rowsOf(data: Float32Array, columns: number): number[][] {
  return Array.from({ length: data.length / columns }, (_, i) =>
    Array.from(data.subarray(i * columns, (i + 1) * columns)),
  );
}

interface LibsvmJs {
  train(samples: number[][], labels: number[]): void;
  predict(samples: number[][]): number[];
  getSVIndices(): number[];
}

async function libsvmJs(task: Task): Promise<Result> {
  const SVM = (await peer("libsvm-js")) as new (options: object) => LibsvmJs;
  const svm = new SVM({
    type: "0",
    kernel: "2",
    gamma: task.gamma,
    cost: 10,
    tolerance: 1e-3,
    cacheSize: task.cacheMiB,
    quiet: true,
  });
  const [train, queryRows] = [rowsOf(task.train, task.columns), rowsOf(task.queries, task.columns)];
  return timed(
    () => {
      svm.train(train, task.labels);
      return svm.getSVIndices().length;
    },
    () => svm.predict(queryRows),
    task,
  );
}

/** The parts of `libsvm-wasm`'s module that are used: its `feedSamples` would copy all samples once per sample. */
interface LibsvmWasm {
  readonly HEAPF64: Float64Array;
  readonly HEAP32: Int32Array;
  _malloc(bytes: number): number;
  _make_samples(data: number, labels: number, rows: number, columns: number): number;
  _make_param(...values: number[]): number;
  _train_model(samples: number, parameters: number): number;
  _predict_one(model: number, data: number, columns: number): number;
}

async function libsvmWasm(task: Task): Promise<Result> {
  // Its loader takes a global `fetch` for a page, and then a path for a URL; without one it reads the file.
  Object.assign(globalThis, { fetch: undefined });
  const load = peer("libsvm-wasm/dist/libsvm") as { default?: () => Promise<LibsvmWasm> } & (() => Promise<LibsvmWasm>);
  const library = await (load.default ?? load)();
  const place = (values: ArrayLike<number>): number => {
    const at = library._malloc(values.length * 8);
    library.HEAPF64.set(values, at / 8);
    return at;
  };
  const [data, labels] = [place(task.train), place(task.labels)];
  const queryRows = rowsOf(task.queries, task.columns);
  const parameters = library._make_param(
    0,
    2,
    3,
    task.gamma,
    0,
    0,
    task.cacheMiB,
    10,
    1e-3,
    0.1,
    1,
    0,
    0,
    library._malloc(8),
    library._malloc(8),
  );
  let model = 0;
  return timed(
    () => {
      model = library._train_model(library._make_samples(data, labels, task.labels.length, task.columns), parameters);
      return null;
    },
    () => {
      const at = library._malloc(task.columns * 8);
      return queryRows.map((row) => {
        library.HEAPF64.set(row, at / 8);
        return library._predict_one(model, at, task.columns);
      });
    },
    task,
  );
}

interface MlSvm {
  train(samples: number[][], labels: number[]): void;
  predict(samples: number[][]): number[];
  supportVectors(): number[];
}

function mlSvm(task: Task): Promise<Result> {
  const SVM = peer("ml-svm") as new (options: object) => MlSvm;
  const sigma = 1 / Math.sqrt(2 * task.gamma);
  const svm = new SVM({
    C: 10,
    tol: 1e-3,
    maxPasses: 10,
    maxIterations: 10_000,
    kernel: "rbf",
    kernelOptions: { sigma },
  });
  const signs = task.labels.map((label) => (label === pairLabels[0] ? 1 : -1));
  const [train, queryRows] = [rowsOf(task.train, task.columns), rowsOf(task.queries, task.columns)];
  return timed(
    () => {
      svm.train(train, signs);
      return svm.supportVectors().length;
    },
    () => svm.predict(queryRows).map((sign) => pairLabels[sign > 0 ? 0 : 1] as number),
    task,
  );
}
