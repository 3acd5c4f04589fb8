/** One run of training: programs and state made ready, then epochs until they are done, stopped, or without hope. */
import { rateAt } from "../kernels/index.ts";
import type { Model } from "../nn/index.ts";
import { copyInto, RandomStream, type Program, type Tensor } from "../tensor/index.ts";
import { batchSource, type BatchSource } from "./batchSource.ts";
import type {
  Callback,
  EpochResult,
  RunInfo,
  Snapshot,
  StepInfo,
  StopReason,
  Training,
  TrainingResult,
} from "./callback.ts";
import { checkSettings, requireTensor, type Checkpoint, type RememberedCallback } from "./checkpoint.ts";
import { asEvaluation, Evaluator, type Evaluation } from "./evaluate.ts";
import type { FitSettings } from "./fit.ts";
import { doubtsAfter, doubtsBefore } from "./guards.ts";
import type { Metric } from "./metrics/named.ts";
import type { Hold } from "./residentDataset.ts";
import { compileParts, type Part } from "./parts.ts";
import { createState, readState, writeState, type TrainingState } from "./trainingState.ts";
import { compileStep } from "./trainingStep.ts";

/** Streams of random numbers from here on give the order of images in each epoch; others belong to layers and initial values. */
const ORDER_STREAM = 1 << 24;

/** Seconds of work in one submit: long enough to cost nothing, short enough for a lively progress line. */
const SECONDS_PER_SUBMIT = 0.15;

/** Steps under way: the totals that will be read after them, and how many of the epoch will be done. */
interface Submit {
  readonly totals: Promise<ArrayLike<number>>;
  readonly step: number;
}

/** A snapshot with its memory, one copy for each chunk of parameters. */
interface StoredSnapshot extends Snapshot {
  readonly copies: readonly Tensor[];
}

const keptBy = (callback: Callback) => (callback.snapshots?.() ?? []) as readonly StoredSnapshot[];

/** A snapshot's tensors under the names that they have in checkpoints. */
const snapshotTensors =
  ({ name }: Callback) =>
  (snapshot: Snapshot, index: number): [name: string, tensor: Tensor][] =>
    (snapshot as StoredSnapshot).copies.map((copy, chunk) => [`snapshot/${name}/${index}/${chunk}`, copy]);

export class TrainingRun implements Training {
  readonly model: Model;
  readonly #settings: FitSettings;
  readonly #state: TrainingState;
  readonly #source: BatchSource;
  readonly #parts: readonly Part[];
  readonly #evaluator: Evaluator | null;
  readonly #hold: Hold;
  readonly #preparing: number;
  readonly #history: EpochResult[] = [];
  readonly #warnings: string[] = [];
  /** Parameters as they were when the last good epoch ended. */
  #lastGood: Snapshot | null = null;
  /** What is being learnt, while its moving average stands in its place; empty otherwise. */
  #learning: readonly Tensor[] = [];
  #aside: readonly Tensor[] | null = null;
  #parametersOf: number | null = null;
  /** Where an epoch was cut short, before callbacks judged it: going on from there, it is judged when it is whole. */
  #cut: Checkpoint | null = null;
  #epoch = 0;
  /** Steps of the epoch that were submitted, and of all epochs. */
  #stepOfEpoch = 0;
  #stepsDone = 0;
  #stepsPerSubmit = 1;
  #rateFactor = 1;
  #stopped: StopReason = "completed";
  #message: string | null = null;
  #secondsBefore = 0;
  #began = 0;
  #trainingSeconds = 0;
  #firstStepSeconds = 0;
  #rowsTrained = 0;

  private constructor(
    model: Model,
    settings: FitSettings,
    state: TrainingState,
    source: BatchSource,
    parts: readonly Part[],
    evaluator: Evaluator | null,
    hold: Hold,
    preparing: number,
  ) {
    this.model = model;
    this.#settings = settings;
    this.#state = state;
    this.#source = source;
    this.#parts = parts;
    this.#evaluator = evaluator;
    this.#hold = hold;
    this.#preparing = preparing;
  }

  /** Uploads the data and compiles everything. */
  static async prepare(model: Model, settings: FitSettings, hold: Hold): Promise<TrainingRun> {
    const began = performance.now();
    const { device } = model;
    const { training, validation, metrics, batchSize } = settings;
    const source = batchSource(device, training, batchSize, hold);
    const { data } = source;
    const state = createState(model, settings, data.count, hold);
    const parts = await compileParts(batchSize, data.count, settings.accumulate, ({ phase, ...place }) =>
      compileStep(model, data, state, { ...place, order: state.order, cursor: state.cursor }, settings, phase),
    );
    const evaluator = validation ? await Evaluator.compile(model, validation, hold, metrics) : null;
    const preparing = (performance.now() - began) / 1000;
    return new TrainingRun(model, settings, state, source, parts, evaluator, hold, preparing);
  }

  async train(): Promise<TrainingResult> {
    const { epochs, resume } = this.#settings;
    if (resume) this.#takeUp(resume);
    doubtsBefore(this.#settings).forEach((doubt) => this.warn(doubt));
    await this.#tell((callback) => callback.onBegin?.(this.#info(), this));
    this.#began = performance.now();
    this.#lastGood = this.snapshot();
    while (this.#epoch < epochs && this.#stopped === "completed") await this.#trainEpoch();
    if (this.#parametersOf === null) this.#showAverage();
    doubtsAfter(this.model, this.#settings, this.#history, this.#stepsDone).forEach((doubt) => this.warn(doubt));
    const result = this.#result();
    await this.#tell((callback) => callback.onEnd?.(result, this));
    return this.#result();
  }

  dispose(): void {
    this.#source.end();
    for (const program of new Set(this.#parts.map((part) => part.program))) program.dispose();
    this.#evaluator?.dispose();
  }

  get metrics(): readonly Metric[] {
    return this.#settings.metrics;
  }

  get learningRate(): number {
    return this.#rateAfter(this.#stepsDone);
  }

  #rateAfter(steps: number): number {
    return rateAt(this.#settings.optimizer.learningRate, Math.max(0, steps)) * this.#rateFactor;
  }

  get rateFactor(): number {
    return this.#rateFactor;
  }

  set rateFactor(factor: number) {
    this.#rateFactor = factor;
    this.model.device.write(this.#state.rateFactor, Float32Array.of(factor));
  }

  stop(why: string): void {
    this.#end("stopped", why);
  }

  warn(sentence: string): void {
    if (!this.#warnings.includes(sentence)) this.#warnings.push(sentence);
  }

  snapshot(over?: Snapshot): Snapshot {
    const { device, chunks } = this.model;
    const copies =
      (over as StoredSnapshot | undefined)?.copies ??
      chunks.map(({ values }) => this.#hold(device.zeros(values.shape)));
    chunks.forEach(({ values }, index) => copyInto(values, copies[index]!));
    const stored: StoredSnapshot = { epoch: this.#history.at(-1)?.epoch ?? -1, copies };
    return stored;
  }

  restore(snapshot: Snapshot): void {
    const { copies } = snapshot as StoredSnapshot;
    this.model.chunks.forEach(({ values }, index) => copyInto(copies[index]!, values));
    for (const { values, average } of this.#state.learnt) if (average) copyInto(values, average);
    this.#learning = [];
    this.#parametersOf = snapshot.epoch;
  }

  async checkpoint(): Promise<Checkpoint> {
    if (this.#cut) return this.#cut;
    const { callbacks, settings } = this.#settings;
    const remembered = callbacks.flatMap((callback): [string, RememberedCallback][] => {
      if (callback.name === undefined || !callback.state) return [];
      return [[callback.name, { state: callback.state(), snapshots: keptBy(callback).map(({ epoch }) => epoch) }]];
    });
    const copies = callbacks.flatMap((callback) => keptBy(callback).flatMap(snapshotTensors(callback)));
    // Read before anything else is submitted: all of it belongs to the same step.
    const reading = readState(this.model, this.#state, this.#learning, copies);
    const record = {
      settings,
      epoch: this.#epoch,
      step: this.#stepOfEpoch,
      steps: this.#stepsDone,
      seconds: this.#seconds(),
      rateFactor: this.#rateFactor,
      history: [...this.#history],
      callbacks: Object.fromEntries(remembered),
    };
    return { record, tensors: await reading };
  }

  /** Puts the moving average, where there is one, in place of what is being learnt: it is what is judged and kept. */
  #showAverage(): void {
    const { learnt } = this.#state;
    if (this.#learning.length > 0 || !learnt.some(({ average }) => average)) return;
    this.#aside ??= learnt.map(({ values }) => this.#hold(this.model.device.zeros(values.shape)));
    this.#learning = this.#aside;
    learnt.forEach(({ values, average }, index) => {
      copyInto(values, this.#learning[index]!);
      copyInto(average!, values);
    });
  }

  #hideAverage(): void {
    this.#learning.forEach((learning, index) => copyInto(learning, this.#state.learnt[index]!.values));
    this.#learning = [];
  }

  /** Goes on where a checkpoint was made. */
  #takeUp(checkpoint: Checkpoint): void {
    const { record } = checkpoint;
    checkSettings(record, this.#settings.settings);
    writeState(this.model, this.#state, checkpoint);
    this.#epoch = record.epoch;
    this.#stepOfEpoch = record.step;
    this.#stepsDone = record.steps;
    this.#secondsBefore = record.seconds;
    this.#history.push(...record.history);
    this.rateFactor = record.rateFactor;
    for (const callback of this.#settings.callbacks) {
      const remembered = callback.name === undefined ? undefined : record.callbacks[callback.name];
      if (!remembered) continue;
      const kept = remembered.snapshots.map((epoch): Snapshot => Object.assign(this.snapshot(), { epoch }));
      const copies = kept.flatMap(snapshotTensors(callback));
      for (const [name, tensor] of copies) {
        this.model.device.write(tensor, requireTensor(checkpoint, name, tensor.shape));
      }
      callback.resume?.(remembered.state, kept);
    }
  }

  #info(): RunInfo {
    const { epochs, batchSize, training, validation } = this.#settings;
    return {
      epochs,
      stepsPerEpoch: this.#stepsPerEpoch,
      batchSize,
      images: training.count,
      validationImages: validation?.count ?? 0,
      resumedEpochs: this.#history.length,
    };
  }

  get #stepsPerEpoch(): number {
    return this.#parts.reduce((sum, { steps }) => sum + steps, 0);
  }

  /** Callbacks one after the other, in the user's order. */
  async #tell(hook: (callback: Callback) => unknown): Promise<void> {
    for (const callback of this.#settings.callbacks) await hook(callback);
  }

  /** The first reason counts; only a divergence outweighs it. */
  #end(reason: StopReason, message: string | null): void {
    if (this.#stopped !== "completed" && reason !== "diverged") return;
    this.#stopped = reason;
    this.#message = message;
  }

  get #aborted(): boolean {
    return this.#settings.signal?.aborted === true;
  }

  async #trainEpoch(): Promise<void> {
    await this.#tell((callback) => callback.onEpochBegin?.(this.#epoch, this));
    const result = await this.#runEpoch();
    if (result.steps === 0) return this.#end("interrupted", null);
    if (!Number.isFinite(result.loss)) return this.#end("diverged", await this.#giveUp());
    const whole = result.steps === this.#stepsPerEpoch;
    if (!whole) this.#cut = await this.checkpoint();
    this.#history.push(result);
    this.#lastGood = this.snapshot(this.#lastGood!);
    if (whole) {
      this.#epoch++;
      this.#stepOfEpoch = 0;
    }
    await this.#tell((callback) => callback.onEpochEnd?.(result, this));
    this.#hideAverage();
    if (this.#aborted && this.#epoch < this.#settings.epochs) this.#end("interrupted", null);
  }

  /** Steps of the epoch from where it stands, then validation. */
  async #runEpoch(): Promise<EpochResult> {
    const { device } = this.model;
    const epoch = this.#epoch;
    device.write(this.#state.order, this.#source.begin(this.#orderOf(epoch), this.#settings.signal, epoch));
    device.write(this.#state.cursor, Uint32Array.of(this.#stepOfEpoch));
    if (this.#stepOfEpoch === 0) device.write(this.#state.totals, new Float32Array(3));
    const began = performance.now();
    const first = this.#stepOfEpoch;
    const { count, ...trained } = await this.#runSteps(began);
    const learningRate = this.#rateAfter(this.#stepsDone - 1);
    this.#trainingSeconds += (performance.now() - began) / 1000;
    this.#rowsTrained += Math.min(count, (this.#stepOfEpoch - first) * this.#settings.batchSize);
    this.#showAverage();
    const sound = this.#stepOfEpoch > 0 && Number.isFinite(trained.loss);
    const validation = sound && this.#evaluator ? await this.#evaluator.run() : null;
    const seconds = (performance.now() - began) / 1000;
    return { epoch, steps: this.#stepOfEpoch, ...trained, validation, learningRate, seconds };
  }

  /** A pure function of seed and epoch, so that a resumed epoch goes on in its order. */
  #orderOf(epoch: number): Uint32Array<ArrayBuffer> {
    const { training, shuffle, seed } = this.#settings;
    if (shuffle) return new RandomStream(seed, ORDER_STREAM + epoch).permutation(training.count);
    return Uint32Array.from({ length: training.count }, (_, index) => index);
  }

  /** Runs an epoch's steps, a few to a submit, one submit ahead of the one that is awaited. */
  async #runSteps(began: number): Promise<Evaluation> {
    const [epoch, steps, first] = [this.#epoch, this.#stepsPerEpoch, this.#stepOfEpoch];
    // A resumed epoch may have no step left: then all that is missing is its end.
    let latest = first === 0 ? { loss: 0, accuracy: 0, count: 0 } : asEvaluation(await this.#state.totals.read());
    let ahead: Submit | null = null;
    const settle = async ({ totals, step }: Submit) => {
      latest = asEvaluation(await totals);
      const { loss, accuracy } = latest;
      const info: StepInfo = { epoch, step, steps, loss, accuracy, seconds: (performance.now() - began) / 1000 };
      await this.#tell((callback) => callback.onStep?.(info, this));
    };
    for await (const { program, times } of this.#submits(first)) {
      if (this.#aborted || this.#stopped !== "completed" || !Number.isFinite(latest.loss)) break;
      const submitted = performance.now();
      program.run([], times);
      this.#stepOfEpoch += times;
      const next = { totals: this.#state.totals.read(), step: this.#stepOfEpoch };
      next.totals.catch(() => undefined); // awaited one submit later: until then its failure is not unhandled
      if (this.#firstStepSeconds === 0) await this.#measureFirst(next.totals, submitted);
      this.#stepsDone += times;
      if (ahead) await settle(ahead);
      ahead = next;
      this.#adapt(this.#stepOfEpoch - first, performance.now() - began);
    }
    if (ahead) await settle(ahead);
    return latest;
  }

  /** What is left of an epoch in groups of steps, each as large as the pace so far allows. */
  async *#submits(done: number): AsyncGenerator<{ program: Program<null>; times: number }> {
    const { batchSize } = this.#settings;
    let [step, skip] = [done, done];
    for (const { program, steps } of this.#parts) {
      const skipped = Math.min(skip, steps);
      skip -= skipped;
      for (let left = steps - skipped; left > 0;) {
        const reach = await this.#reach(step * batchSize);
        if (reach === null) return;
        const ready = Math.max(1, Math.floor(reach / batchSize) - step);
        const times = Math.min(left, ready, this.#stepsPerSubmit);
        left -= times;
        step += times;
        yield { program, times };
      }
    }
  }

  /** The first position whose sample is not on the GPU; null where an interruption came while samples were read. */
  async #reach(position: number): Promise<number | null> {
    try {
      return await this.#source.reach(position);
    } catch (cause) {
      if (this.#aborted) return null;
      throw cause;
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

  #seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#began) / 1000;
  }

  #result(): TrainingResult {
    return {
      history: [...this.#history],
      stopped: this.#stopped,
      steps: this.#stepsDone,
      seconds: this.#seconds(),
      imagesPerSecond: this.#rowsTrained / this.#trainingSeconds,
      firstStepSeconds: this.#preparing + this.#firstStepSeconds,
      message: this.#message,
      parametersOf: this.#parametersOf,
      warnings: [...this.#warnings],
    };
  }

  /** Puts the last good parameters back and says what broke. */
  async #giveUp(): Promise<string> {
    const broken = await this.#brokenLayer();
    const epoch = this.#history.length;
    this.restore(this.#lastGood!);
    const place = broken ? ` (first seen in "${broken}")` : "";
    const kept = epoch === 0 ? "the initial parameters" : `the parameters of epoch ${epoch}`;
    return `the loss became NaN or infinite in epoch ${this.#epoch + 1}${place}; ${kept} were put back; try a smaller learning rate`;
  }

  /** The first parameter that is no longer finite. */
  async #brokenLayer(): Promise<string | null> {
    const values = await this.model.device.readMany(this.model.parameters.map(({ tensor }) => tensor));
    const index = values.findIndex((list) => list.some((value) => !Number.isFinite(value)));
    return this.model.parameters[index]?.name ?? null;
  }
}
