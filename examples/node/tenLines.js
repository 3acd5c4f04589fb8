// node examples/node/tenLines.js   (after `npm ci && npm run build`)
import { build, conv2d, dense, evaluate, fit, flatten, loadFashionMnist, maxPool2d } from "trama";
import { openDevice, progress, sequential, takeImages } from "trama";

const device = await openDevice();
const { train, test } = await loadFashionMnist();
const layers = sequential([conv2d(28, 3, { activation: "relu" }), maxPool2d(2), flatten(), dense(10)]);
const model = build(device, layers, { input: train.shape, classNames: train.classNames });
await fit(model, takeImages(train, 2048), { epochs: 2, callbacks: [progress()] });
const { accuracy } = await evaluate(model, takeImages(test, 1000));
console.log(`${device.name}, ${train.origin}: accuracy ${accuracy}`);
await device.close();
