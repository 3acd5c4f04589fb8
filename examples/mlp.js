// A small network on drawn garments: the same lines run in Node and in a page.
import { adam, build, dense, evaluate, fit, flatten, openDevice, sequential, syntheticGarments } from "trama";

/** Trains for three epochs; `report` is called after each one. */
export async function trainMlp(report) {
  const device = await openDevice();
  const { train, test } = syntheticGarments({ trainCount: 2048, testCount: 512, seed: 1 });
  const layers = sequential([flatten(), dense(256, { activation: "relu" }), dense(10)]);
  const model = build(device, layers, { input: [28, 28, 1], seed: 7 });
  const { history } = await fit(model, train, {
    epochs: 3,
    validation: 0.1,
    optimizer: adam({ learningRate: 1e-3 }),
    callbacks: [{ onEpochEnd: report }],
  });
  const { accuracy } = await evaluate(model, test);
  const adapter = device.name;
  await device.close();
  return { adapter, accuracy, losses: history.map(({ loss }) => loss) };
}
