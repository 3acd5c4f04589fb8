/** One run of training: programs and state made ready, then epochs until they are done, stopped, or without hope. */
import type { Model } from "../nn/index.ts";
import { copyInto, RandomStream, type Program, type Tensor } from "../tensor/index.ts";
import type { EpochResult, StopReason, TrainingResult } from "./callbacks.ts";
import { asEvaluation, Evaluator, type Evaluation } from "./evaluate.ts";
import type { FitSettings } from "./fit.ts";
import { upload, type Hold } from "./residentDataset.ts";
import { compileStep, createState, type TrainingState } from "./trainingStep.ts";

/** Stream of random numbers for the order of images; others belong to layers and initial values. */
const SHUFFLE_STREAM = 1;

/** Seconds of work in one submit: long enough to cost nothing, short enough for a lively progress line. */
const SECONDS_PER_SUBMIT = 0.15;

/** Steps of one kind: all full batches of an epoch, or the one smaller batch at its end. */
interface Part {
  readonly program: Program<null>;
  readonly steps: number;
}

/** Steps under way: the totals that will be read after them, and how many of the epoch will be done. */
interface Submit {
  readonly totals: Promise<ArrayLike<number>>;
  readonly step: number;
}

export class TrainingRun {
  readonly #model: Model;
  readonly #settings: FitSettings;
  readonly #state: TrainingState;
  readonly #parts: readonly Part[];
  readonly #evaluator: Evaluator | null;
  /** Parameters as they were when the last good epoch ended. */
  readonly #snapshots: readonly Tensor[];
  readonly #order: RandomStream;
  readonly #preparing: number;
  #stepsDone = 0;
  #stepsPerSubmit = 1;
  #trainingSeconds = 0;
  #firstStepSeconds = 0;
  #rowsTrained = 0;

  private constructor(
    model: Model,
    settings: FitSettings,
    state: TrainingState,
    parts: readonly Part[],
    evaluator: Evaluator | null,
    snapshots: readonly Tensor[],
    preparing: number,
  ) {
    this.#model = model;
    this.#settings = settings;
    this.#state = state;
    this.#parts = parts;
    this.#evaluator = evaluator;
    this.#snapshots = snapshots;
    this.#order = new RandomStream(settings.seed, SHUFFLE_STREAM);
    this.#preparing = preparing;
  }

  /** Uploads the data and compiles everything. */
  static async prepare(model: Model, settings: FitSettings, hold: Hold): Promise<TrainingRun> {
    const began = performance.now();
    const { device } = model;
    const { training, validation, batchSize, optimizer, seed } = settings;
    const data = upload(device, training, hold);
    const state = createState(model, optimizer, data.count, hold);
    const full = Math.floor(data.count / batchSize);
    const rest = data.count - full * batchSize;
    const { order, cursor } = state;
    const places = [{ order, cursor, rows: batchSize, stride: batchSize, batches: full }];
    const last = { order, cursor, rows: rest, stride: batchSize, batches: 1, offset: full * batchSize };
    const compiled = await Promise.all(
      (rest > 0 ? [...places, last] : places).map(async (place) => ({
        program: await compileStep(model, optimizer, data, state, place, seed),
        steps: place.batches,
      })),
    );
    const evaluator = validation ? await Evaluator.compile(model, upload(device, validation, hold), hold) : null;
    const snapshots = model.chunks.map(({ values }) => hold(device.zeros(values.shape)));
    return new TrainingRun(model, settings, state, compiled, evaluator, snapshots, (performance.now() - began) / 1000);
  }

  async train(): Promise<TrainingResult> {
    const { epochs, batchSize, callbacks, training, validation } = this.#settings;
    const stepsPerEpoch = this.#parts.reduce((sum, { steps }) => sum + steps, 0);
    const images = { images: training.count, validationImages: validation?.count ?? 0 };
    for (const callback of callbacks) callback.onBegin?.({ epochs, stepsPerEpoch, batchSize, ...images });
    const began = performance.now();
    const history: EpochResult[] = [];
    let stopped: StopReason = "completed";
    let message: string | null = null;
    this.#keepParameters();
    for (let epoch = 0; epoch < epochs && stopped === "completed"; epoch++) {
      const result = await this.#epoch(epoch);
      if (result.steps === 0) {
        stopped = "interrupted";
      } else if (!Number.isFinite(result.loss)) {
        message = await this.#giveUp(epoch);
        stopped = "diverged";
      } else {
        const allDone = epoch + 1 === epochs && result.steps === stepsPerEpoch;
        if (this.#settings.signal?.aborted === true && !allDone) stopped = "interrupted";
        this.#keepParameters();
        history.push(result);
        for (const callback of callbacks) callback.onEpochEnd?.(result);
      }
    }
    const result: TrainingResult = {
      history,
      stopped,
      steps: this.#stepsDone,
      seconds: (performance.now() - began) / 1000,
      imagesPerSecond: this.#rowsTrained / this.#trainingSeconds,
      firstStepSeconds: this.#preparing + this.#firstStepSeconds,
      message,
    };
    for (const callback of callbacks) callback.onEnd?.(result);
    return result;
  }

  dispose(): void {
    for (const { program } of this.#parts) program.dispose();
    this.#evaluator?.dispose();
  }

  async #epoch(epoch: number): Promise<EpochResult> {
    const { device } = this.#model;
    const { training, shuffle, optimizer } = this.#settings;
    const identity = () => Uint32Array.from({ length: training.count }, (_, index) => index);
    device.write(this.#state.order, shuffle ? this.#order.permutation(training.count) : identity());
    device.write(this.#state.cursor, new Uint32Array(1));
    device.write(this.#state.totals, new Float32Array(3));
    const [began, before] = [performance.now(), this.#stepsDone];
    const { count, ...trained } = await this.#steps(epoch, began);
    const steps = this.#stepsDone - before;
    this.#trainingSeconds += (performance.now() - began) / 1000;
    this.#rowsTrained += count;
    const validation =
      steps > 0 && Number.isFinite(trained.loss) && this.#evaluator ? await this.#evaluator.run() : null;
    const seconds = (performance.now() - began) / 1000;
    return { epoch, steps, ...trained, validation, learningRate: optimizer.learningRate, seconds };
  }

  /** Runs an epoch's steps, a few to a submit, one submit ahead of the one that is awaited. */
  async #steps(epoch: number, began: number): Promise<Evaluation> {
    const steps = this.#parts.reduce((sum, part) => sum + part.steps, 0);
    let done = 0;
    let latest: Evaluation = { loss: 0, accuracy: 0, count: 0 };
    let ahead: Submit | null = null;
    const settle = async ({ totals, step }: Submit) => {
      latest = asEvaluation(await totals);
      const { loss, accuracy } = latest;
      const seconds = (performance.now() - began) / 1000;
      for (const callback of this.#settings.callbacks) {
        callback.onStep?.({ epoch, step, steps, loss, accuracy, seconds });
      }
    };
    for (const { program, times } of this.#submits()) {
      if (this.#settings.signal?.aborted === true || !Number.isFinite(latest.loss)) break;
      const submitted = performance.now();
      program.run([], times);
      done += times;
      const next = { totals: this.#state.totals.read(), step: done };
      next.totals.catch(() => undefined); // awaited one submit later: until then its failure is not unhandled
      if (this.#stepsDone === 0) await this.#measureFirst(next.totals, submitted);
      this.#stepsDone += times;
      if (ahead) await settle(ahead);
      ahead = next;
      this.#adapt(done, performance.now() - began);
    }
    if (ahead) await settle(ahead);
    return latest;
  }

  /** An epoch's steps in groups, each as large as the pace so far allows. */
  *#submits(): Generator<{ program: Program<null>; times: number }> {
    for (const { program, steps } of this.#parts) {
      for (let left = steps; left > 0;) {
        const times = Math.min(left, this.#stepsPerSubmit);
        left -= times;
        yield { program, times };
      }
    }
  }

  async #measureFirst(pending: Promise<unknown>, submitted: number): Promise<void> {
    await pending;
    this.#firstStepSeconds = (performance.now() - submitted) / 1000;
  }

  /** Steps in the next submit, from the mean time of a step so far; never more than twice as many as before. */
  #adapt(done: number, milliseconds: number): void {
    const wanted = Math.floor((SECONDS_PER_SUBMIT * 1000 * done) / milliseconds);
    this.#stepsPerSubmit = Math.max(1, Math.min(wanted, this.#stepsPerSubmit * 2));
  }

  #keepParameters(): void {
    this.#model.chunks.forEach(({ values }, index) => copyInto(values, this.#snapshots[index]!));
  }

  /** Puts the last good parameters back and says what broke. */
  async #giveUp(epoch: number): Promise<string> {
    const broken = await this.#brokenLayer();
    this.#model.chunks.forEach(({ values }, index) => copyInto(this.#snapshots[index]!, values));
    const place = broken ? ` (first seen in "${broken}")` : "";
    const kept = epoch === 0 ? "the initial parameters" : `the parameters of epoch ${epoch}`;
    return `the loss became NaN or infinite in epoch ${epoch + 1}${place}; ${kept} were put back; try a smaller learning rate`;
  }

  /** The first parameter that is no longer finite. */
  async #brokenLayer(): Promise<string | null> {
    const values = await this.#model.device.readMany(this.#model.parameters.map(({ tensor }) => tensor));
    const index = values.findIndex((list) => list.some((value) => !Number.isFinite(value)));
    return this.#model.parameters[index]?.name ?? null;
  }
}
