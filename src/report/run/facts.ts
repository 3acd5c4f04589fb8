/** What is to be known of a run besides its scores, as tables of two columns. */
import type { Json } from "../../nn/index.ts";
import type { EnergyReadings, Reading } from "../../train/index.ts";
import { totalLines } from "../model/summary.ts";
import { fixed, type Table } from "../table.ts";
import type { RunRecord } from "./record.ts";

export interface Facts {
  readonly title: string;
  readonly rows: readonly (readonly [label: string, value: string])[];
}

/** Adapter, data, configuration, times, memory, energy; in this order. */
export function factsOf(run: RunRecord): readonly Facts[] {
  return [machineFacts(run), dataFacts(run), configurationFacts(run), modelFacts(run), timeFacts(run), costFacts(run)];
}

function machineFacts({ adapter, version, ended }: RunRecord): Facts {
  const { name, kind, source, driver, variant, reason } = adapter;
  return {
    title: "Adapter",
    rows: [
      ["name", name],
      ["kind", kind === "gpu" ? "GPU" : "software adapter, which computes on the CPU"],
      ["chosen because", reason],
      ["source", `${source}, driver ${driver || "unnamed"}, ${variant} kernels`],
      ["Trama", version],
      ["ended", ended.replace("T", " ").replace(/\.\d+Z$/, " UTC")],
    ],
  };
}

function dataFacts({ data: { origin, synthetic, shape, classNames, parts } }: RunRecord): Facts {
  const sizes = parts.map(({ name, counts }) => `${whole(counts.reduce((sum, count) => sum + count, 0))} ${name}`);
  return {
    title: "Data",
    rows: [
      ["origin", origin],
      ...(synthetic ? [["SYNTHETIC", "drawn, not photographed"] as const] : []),
      ["images", `${sizes.join(", ")}, of ${shape.join(" × ")}`],
      ["classes", `${classNames.length}: ${classNames.join(", ")}`],
    ],
  };
}

function configurationFacts({ configuration, seed }: RunRecord): Facts {
  const rows = Object.entries(configuration).map(([key, value]) => [key, shown(value)] as const);
  return { title: "Configuration", rows: [...rows, ["seed", String(seed)]] };
}

function shown(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function modelFacts({ model }: RunRecord): Facts {
  const { file, bytes, input, output } = model;
  const saved = file === null ? "not saved" : `${file}${bytes === null ? "" : ` (${fixed(bytes / 1e6, 1)} MB)`}`;
  return {
    title: "Model",
    rows: [
      ["file", saved],
      ["input and output", `[${input.join(", ")}] → [${output.join(", ")}]`],
      ...totalLines(model).map(([label, value]) => [label.toLowerCase().replace("flops", "FLOPs"), value] as const),
    ],
  };
}

const ENDS = {
  completed: "all epochs done",
  stopped: "stopped early",
  interrupted: "interrupted",
  diverged: "diverged",
};

function timeFacts({ training, test }: RunRecord): Facts {
  const { history, stopped, message, steps, seconds, imagesPerSecond, firstStepSeconds } = training;
  const images = test?.evaluation.count ?? 0;
  return {
    title: "Durations",
    rows: [
      ["end", ENDS[stopped] + (message === null ? "" : `: ${message}`)],
      ["epochs, steps", `${history.length}, ${whole(steps)}`],
      ["training and validation", duration(seconds)],
      ["training speed", `${whole(Math.round(imagesPerSecond))} images/s`],
      ["a step", steps > 0 ? `${fixed((1000 * seconds) / steps, 2)} ms, validation included` : "none was done"],
      ["first step", `after ${duration(firstStepSeconds)}, compiling included`],
      [
        "prediction",
        test ? `${whole(images)} images in ${duration(test.seconds)}, compiling included` : "nothing was tested",
      ],
    ],
  };
}

function costFacts({ hardware, deviceBytes, adapter }: RunRecord): Facts {
  const memory = ["GPU memory, at most", `${fixed(deviceBytes / 2 ** 20, 1)} MiB`] as const;
  const title = "Memory and energy";
  if (hardware === null) return { title, rows: [memory, ["energy", "unknown: nothing was measured"]] };
  const { processor, gpu, residentBytes } = hardware;
  const of = (part: EnergyReadings) =>
    `${reading(part.energy, (value) => `${fixed(value, 3)} Wh`)}${part.power.value === null ? "" : `, mean ${fixed(part.power.value, 1)} W`}`;
  return {
    title,
    rows: [
      memory,
      ["memory of the process", reading(residentBytes, (value) => `${fixed(value / 2 ** 20, 0)} MiB`)],
      ["processor, over the training", of(processor)],
      [adapter.kind === "gpu" ? "GPU, over the training" : "GPU", of(gpu)],
    ],
  };
}

/** A value with its source, or why there is none. */
function reading({ value, source }: Reading, show: (value: number) => string): string {
  return value === null ? source : `${show(value)} (${source})`;
}

/** Every epoch with its scores, its time, and its energy where that was measured. */
export function epochTable({ training, hardware }: RunRecord): Table {
  const validated = training.history.some(({ validation }) => validation !== null);
  const measured = (["processor", "gpu"] as const).filter((part) =>
    hardware?.epochs.some((epoch) => epoch[part].energy.value !== null),
  );
  const judgedTitles = validated ? ["validation loss", "validation accuracy"] : [];
  const titles = ["epoch", "loss", "accuracy", ...judgedTitles, "learning rate", "seconds"];
  const energies = measured.flatMap((part) => [`${part} Wh`, `${part} W`]);
  return {
    columns: [...titles, ...energies].map((title) => ({ title })),
    rows: training.history.map(({ epoch, loss, accuracy, validation, learningRate, seconds }) => {
      const cost = hardware?.epochs.find((one) => one.epoch === epoch);
      const judged = validation ? [fixed(validation.loss, 4), fixed(validation.accuracy, 4)] : ["", ""];
      const energy = measured.flatMap((part) => [
        number(cost?.[part].energy.value, 4),
        number(cost?.[part].power.value, 1),
      ]);
      return [
        String(epoch + 1),
        fixed(loss, 4),
        fixed(accuracy, 4),
        ...(validated ? judged : []),
        String(Number(learningRate.toPrecision(4))),
        fixed(seconds, 2),
        ...energy,
      ];
    }),
  };
}

function number(value: number | null | undefined, digits: number): string {
  return typeof value === "number" ? fixed(value, digits) : "unknown";
}

function whole(value: number): string {
  return value.toLocaleString("en-US");
}

function duration(seconds: number): string {
  if (seconds < 100) return `${fixed(seconds, seconds < 1 ? 3 : 1)} s`;
  const rounded = Math.round(seconds);
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${rounded % 60} s`;
}
