/** The runtime: devices, tensors, scopes, differentiation and compiled programs. It knows WebGPU and no operation. */
export { compile, type CompileOptions, type TensorSpec } from "./compile.ts";
export { Device, type KernelVariant } from "./device.ts";
export { arrayTypeOf, bytesPerElement, type BindingType, type Dtype, type TypedArray } from "./dtype.ts";
export { BINDING_ALIGNMENT } from "./encode.ts";
export { defineKernel, type Constants, type Dispatch, type Kernel, type Width } from "./kernel.ts";
export {
  IDENTITY,
  operandFor,
  viewOperand,
  type MapFunction,
  type MapProgram,
  type MapStep,
  type Operand,
} from "./map.ts";
export { defineOp } from "./op.ts";
export { openDevice, type DeviceOptions } from "./openDevice.ts";
export type { AdapterCandidate, AdapterKind, AdapterOptions, ChosenAdapter } from "./platform.ts";
export type { MemoryCounters } from "./buffers.ts";
export type { MatrixUnit } from "./matrixUnit.ts";
export { profile } from "./profile.ts";
export { Program, type KernelReport, type KernelTime } from "./program.ts";
export { philox, RandomStream, seedKey, toUnit } from "./random.ts";
export { COPY, copyInto, run, runMap, runMapOn, type RunOptions } from "./run.ts";
export { free, holding, keep, scope } from "./scope.ts";
export {
  broadcastShapes,
  checkShape,
  formatShape,
  normaliseAxes,
  sameShape,
  sizeOf,
  stridesOf,
  type Shape,
} from "./shape.ts";
export { valueAndGradients } from "./tape.ts";
export { Tensor } from "./tensor.ts";
