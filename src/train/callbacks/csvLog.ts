/** A line for each epoch in a CSV file. */
import { writeFileAtomic } from "#files";
import type { Callback } from "../callback.ts";
import { numbersOf } from "./monitor.ts";

/**
 * Writes loss, accuracy, validation, learning rate and seconds of every epoch to `path`. The file is whole at every moment,
 * and a resumed training goes on with the lines of before.
 */
export function csvLog(path: string): Callback {
  let lines: string[] = [];
  return {
    name: "csvLog",
    async onEpochEnd(result) {
      const numbers = numbersOf(result);
      if (lines.length === 0) lines.push(["epoch", ...Object.keys(numbers)].join());
      lines.push([result.epoch + 1, ...Object.values(numbers)].join());
      await writeFileAtomic(path, new TextEncoder().encode(`${lines.join("\n")}\n`));
    },
    state: () => [...lines],
    resume: (state) => {
      lines = [...(state as string[])];
    },
  };
}
