/** ONNX: models for other runtimes. */
export { exportOnnx, exportOnnxBytes, type OnnxDescription, type OnnxOptions } from "./exportOnnx.ts";
export type { ElementType, Port } from "./messages.ts";
