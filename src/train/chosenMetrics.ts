/** Metrics as users choose them: resolved and checked before anything runs, computed after each validation. */
import { OptionError } from "../errors.ts";
import type { Answered, Metric, MetricName } from "./metrics/named.ts";

export type MetricChoice = MetricName | Metric;

/**
 * Those of the box are a module that is loaded when one is asked for.
 * @throws {OptionError} for names that are unknown, taken or given twice.
 */
export async function metricsFrom(where: string, choices: readonly MetricChoice[] = []): Promise<readonly Metric[]> {
  const taken = new Set(["loss", "accuracy"]);
  const named = choices.some((choice) => typeof choice === "string") ? await import("./metrics/named.ts") : null;
  return choices.map((choice) => {
    const metric = typeof choice === "string" ? named!.namedMetric(where, choice) : choice;
    const { name } = metric;
    if (!/^[\w.-]+$/.test(name) || typeof metric.compute !== "function") {
      const expected = "metrics { name, compute } with names of letters, digits, _, - and .";
      throw new OptionError({ where, expected, got: JSON.stringify(name) ?? "no name" });
    }
    if (taken.has(name)) throw new OptionError({ where, expected: "metrics of different names", got: `${name} twice` });
    taken.add(name);
    return metric;
  });
}

/** @throws {OptionError} when a metric of the user's is no number. */
export function scoresOf(metrics: readonly Metric[], answered: Answered): Readonly<Record<string, number>> {
  return Object.fromEntries(
    metrics.map((metric) => {
      const score: unknown = metric.compute(answered);
      if (typeof score === "number") return [metric.name, score];
      throw new OptionError({ where: `metric "${metric.name}"`, expected: "a number", got: String(score) });
    }),
  );
}

/** Whether less of what is monitored, `val_macroF1` for instance, is better. */
export function modeOf(monitor: string, metrics: readonly Metric[]): "min" | "max" {
  const known = metrics.find(({ name }) => monitor === `val_${name}`)?.mode;
  return known ?? (/loss|error/i.test(monitor) ? "min" : "max");
}
