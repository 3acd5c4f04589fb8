/** Long work on the CPU: its options, its progress on a line, its interruption. */
import type { Command } from "commander";
import type { ImageDataset } from "../../data/index.ts";
import type { ImageBatch, Progress } from "../../svm/index.ts";
import { InterruptedError } from "../interruption.ts";
import { wholeNumber } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import { duration } from "../text.ts";

export interface WorkersOption {
  readonly workers?: number;
}

export function withWorkers(command: Command): Command {
  return command.option(
    "--workers <n>",
    "threads (default: all cores where the work is worth it); the result is the same",
    wholeNumber(1),
  );
}

export function batchOf({ images, count, shape: [height, width, channels] }: ImageDataset): ImageBatch {
  return { data: images, count, height, width, channels };
}

export function stopped(where: string, got: string): InterruptedError {
  return new InterruptedError({ where, expected: "to be left running", got });
}

/** Milliseconds between two reports: a terminal redraws its line, a log grows. */
const PAUSES = { terminal: 100, log: 10_000, json: 1_000 } as const;

/** Shows progress and the time that is left, and remembers when each stage was last heard of. */
export class ProgressLine {
  readonly #terminal: Terminal;
  readonly #begun = performance.now();
  readonly #heard = new Map<string, number>();
  #shown = performance.now();
  #stage = "";
  #stageBegun = 0;
  #first = 0;
  #drawn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Seconds from the beginning to the last report of a stage; 0 when there was none. */
  secondsUntil(stage: string): number {
    return ((this.#heard.get(stage) ?? this.#begun) - this.#begun) / 1000;
  }

  readonly report = (progress: Progress): void => {
    const now = performance.now();
    this.#heard.set(progress.stage, now);
    if (progress.stage !== this.#stage) {
      this.#stage = progress.stage;
      this.#stageBegun = now;
      this.#first = progress.done;
    }
    const { json, showsProgress } = this.#terminal;
    const pause = json ? PAUSES.json : process.stdout.isTTY ? PAUSES.terminal : PAUSES.log;
    if (now - this.#shown < pause) return;
    this.#shown = now;
    const left = this.#secondsLeft(progress, now);
    this.#terminal.event("progress", { ...progress, secondsLeft: left });
    if (showsProgress) this.#draw(inWords(progress, left));
  };

  /** Takes the line away. */
  clear(): void {
    if (this.#drawn) process.stdout.write("\r\u001b[K");
    this.#drawn = false;
  }

  #secondsLeft({ done, total }: Progress, now: number): number | null {
    const doneHere = done - this.#first;
    return doneHere > 0 ? (((now - this.#stageBegun) / 1000) * (total - done)) / doneHere : null;
  }

  #draw(text: string): void {
    if (!process.stdout.isTTY) {
      this.#terminal.say(text);
      return;
    }
    this.#drawn = true;
    process.stdout.write(`\r\u001b[K${text.slice(0, this.#terminal.width - 1)}`);
  }
}

function inWords({ stage, done, total, detail }: Progress, left: number | null): string {
  const share = `${((100 * done) / total).toFixed(1)} %`;
  const rest = left === null ? "" : ` · ${duration(left)} left`;
  return `${stage} · ${share}, ${done.toFixed(1)} of ${total}${rest}${detail === "" ? "" : ` · ${detail}`}`;
}
