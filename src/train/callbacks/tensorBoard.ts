/** Scalars and histograms for TensorBoard: `tensorboard --logdir runs` shows them while training goes on. */
import { appendFile, fileExists, joinPath } from "#files";
import type { Callback, Training } from "../callback.ts";
import { checkWhole } from "./checks.ts";
import { encodeEvents, histogramOf, type EventContent, type Histogram } from "./eventFile.ts";
import { numbersOf } from "./monitor.ts";

export interface TensorBoardOptions {
  /** Epochs between two histograms of all parameters, which are read from the GPU for it; 0 for none. Default: 1. */
  readonly histogramEvery?: number;
}

/**
 * Writes loss, accuracy, validation and learning rate of every epoch, and histograms of the parameters, to an event file in
 * `folder`. Steps are epochs, from 1. Every training has a file of its own, so that nothing is ever written behind what an
 * interruption may have cut; TensorBoard joins the files of a folder.
 */
export function tensorBoard(folder: string, { histogramEvery = 1 }: TensorBoardOptions = {}): Callback {
  checkWhole("tensorBoard", { histogramEvery });
  let file = "";
  const write = (...events: readonly EventContent[]): Promise<void> =>
    appendFile(file, encodeEvents(Date.now() / 1000, events));
  return {
    async onBegin() {
      file = await unusedName(folder);
      await write({ version: "brain.Event:2" });
    },
    async onEpochEnd(result, { model }) {
      const { seconds: _, ...scalars } = numbersOf(result);
      const step = result.epoch + 1;
      const isDue = histogramEvery > 0 && step % histogramEvery === 0;
      await write({ step, scalars }, ...(isDue ? [{ step, histograms: await histogramsOf(model) }] : []));
    },
  };
}

/** The prefix is what TensorBoard looks for; then the second, by which it orders files. */
async function unusedName(folder: string): Promise<string> {
  const start = joinPath(folder, `events.out.tfevents.${Math.floor(Date.now() / 1000)}.trama`);
  for (let number = 0; ; number++) {
    const name = number === 0 ? start : `${start}.${number}`;
    if (!(await fileExists(name))) return name;
  }
}

async function histogramsOf({ device, parameters }: Training["model"]): Promise<Readonly<Record<string, Histogram>>> {
  const values = await device.readMany(parameters.map(({ tensor }) => tensor));
  return Object.fromEntries(
    parameters.flatMap(({ name }, at) => {
      const histogram = histogramOf(values[at]!);
      return histogram === null ? [] : [[name, histogram]];
    }),
  );
}
