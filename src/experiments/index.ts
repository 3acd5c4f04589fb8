/** Experiments as files: what one may say, what trains, and what comes of it beside a published result. */
export { problemsOf, type Problem } from "./check.ts";
export { EXPERIMENT_SCHEMA, parseExperiment, type Experiment } from "./experiment.ts";
export { convnet, perceptron, type PerceptronOptions } from "./networks.ts";
export { prepareRun, runsOf, type DataParts, type PreparedRun, type Run } from "./prepare.ts";
export {
  resultTable,
  runResult,
  scoresOf,
  settingsOf,
  spreadOf,
  transferTables,
  type ExperimentResult,
  type RunResult,
  type Spread,
} from "./result.ts";
export type { JsonSchema } from "./schema.ts";
export type { Transfer } from "./transfer.ts";
