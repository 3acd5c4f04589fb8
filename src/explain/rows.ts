/** Programs over many rows: compiled once for batches of one size, the last of which is filled up with zeros. */
import { compile, sizeOf, type Device, type Shape, type Tensor } from "../tensor/index.ts";

export interface RowProgram {
  /** `fill` writes row k of each input, where zeros are; `take` sees row k of each output, which it may keep. */
  run(
    count: number,
    fill: (k: number, inputs: readonly Float32Array[]) => void,
    take: (k: number, outputs: readonly Float32Array[]) => void,
  ): Promise<void>;
  dispose(): void;
}

/** @param shapes of one row of each input. @param step what is done to a batch: outputs have as many rows. */
export async function compileRows(
  device: Device,
  batchSize: number,
  shapes: readonly Shape[],
  step: (...inputs: Tensor[]) => readonly Tensor[],
): Promise<RowProgram> {
  const specs = shapes.map((shape) => ({ shape: [batchSize, ...shape] }));
  const program = await compile(device, specs, step);
  return {
    async run(count, fill, take) {
      for (let begin = 0; begin < count; begin += batchSize) {
        const rows = Math.min(batchSize, count - begin);
        const inputs = specs.map(({ shape }) => new Float32Array(sizeOf(shape)));
        for (let row = 0; row < rows; row++) fill(begin + row, rowOf(inputs, row, batchSize));
        program.run(inputs);
        const outputs = (await device.readMany(program.outputs)) as Float32Array[];
        for (let row = 0; row < rows; row++) take(begin + row, rowOf(outputs, row, batchSize));
      }
    },
    dispose: () => program.dispose(),
  };
}

function rowOf(batches: readonly Float32Array[], row: number, batchSize: number): Float32Array[] {
  return batches.map((values) => {
    const length = values.length / batchSize;
    return values.subarray(row * length, (row + 1) * length);
  });
}
