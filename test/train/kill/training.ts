/**
 * A training in a process of its own, to be killed at any moment: `training.mjs FOLDER`. It goes on from the checkpoint in
 * FOLDER, says when it has done a step, and writes the weights down when it is done.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { syntheticGarments } from "../../../src/data/index.ts";
import { adam, build, dense, dropout, flatten, sequential } from "../../../src/nn/index.ts";
import { openDevice } from "../../../src/tensor/index.ts";
import { checkpointing, earlyStopping, fit, readCheckpoint, type Callback } from "../../../src/train/index.ts";

const folder = process.argv[2] ?? ".";
const path = join(folder, "training.checkpoint");
const device = await openDevice({ adapter: "software" });
const { train: garments, test: others } = syntheticGarments({ trainCount: 1000, testCount: 200, seed: 3 });
const layers = [flatten(), dense(32, { activation: "relu" }), dropout(0.2), dense(10)] as const;
const model = build(device, sequential(layers), { input: [28, 28, 1], seed: 5 });

let begun = false;
const teller: Callback = {
  onStep() {
    if (!begun) process.stdout.write("training\n");
    begun = true;
  },
};

await fit(model, garments, {
  epochs: 60,
  batchSize: 50,
  optimizer: adam({ learningRate: 0.002 }),
  augmentation: { flip: 0.5, padCrop: 2 },
  ema: 0.99,
  validation: others,
  callbacks: [teller, earlyStopping({ patience: 1000 }), checkpointing({ path, everySeconds: 0.05 })],
  resume: await readCheckpoint(path),
});
const values = await device.readMany(model.parameters.map(({ tensor }) => tensor));
writeFileSync(join(folder, "weights"), Buffer.concat(values.map(({ buffer }) => new Uint8Array(buffer))));
await device.close();
