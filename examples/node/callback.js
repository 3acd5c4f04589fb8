// node examples/node/callback.js   (after `npm ci && npm run build`)
// A callback of one's own: an object with hooks. This one stops when the goal is reached; one from the box keeps the best.
import { build, dense, earlyStopping, evaluate, fit, flatten, openDevice, sequential, syntheticGarments } from "trama";

const until = (goal) => ({
  onEpochEnd({ epoch, validation }, training) {
    console.log(`epoch ${epoch + 1}: validation accuracy ${validation.accuracy.toFixed(4)}`);
    if (validation.accuracy >= goal) training.stop(`validation accuracy reached ${goal}`);
  },
});

const device = await openDevice();
const { train, test } = syntheticGarments({ trainCount: 2048, testCount: 512, seed: 1 });
const layers = sequential([flatten(), dense(128, { activation: "relu" }), dense(10)]);
const model = build(device, layers, { input: train.shape, classNames: train.classNames });
const callbacks = [until(0.75), earlyStopping({ monitor: "val_accuracy", patience: 3 })];
const { message, history } = await fit(model, train, { epochs: 30, validation: 0.2, callbacks });
console.log(`${history.length} epochs; ${message ?? "all were done"}`);
console.log(`test accuracy ${(await evaluate(model, test)).accuracy.toFixed(4)}`);
await device.close();
