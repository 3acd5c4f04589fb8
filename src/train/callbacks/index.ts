/** Callbacks as Keras users know them. Their own are as short: an object with hooks. */
export {
  checkpointing,
  modelCheckpoint,
  type CheckpointingOptions,
  type ModelCheckpointOptions,
} from "./checkpoints.ts";
export { csvLog } from "./csvLog.ts";
export { divergenceGuard, type DivergenceGuardOptions } from "./divergenceGuard.ts";
export { earlyStopping, type EarlyStopping, type EarlyStoppingOptions } from "./earlyStopping.ts";
export {
  hardwareLog,
  type EnergyReadings,
  type EpochHardware,
  type HardwareLog,
  type HardwareSummary,
  type Reading,
} from "./hardwareLog.ts";
export { numbersOf, type MonitorOptions } from "./monitor.ts";
export { reduceOnPlateau, type ReduceOnPlateauOptions } from "./reduceOnPlateau.ts";
export { tensorBoard, type TensorBoardOptions } from "./tensorBoard.ts";
