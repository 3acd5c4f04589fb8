/** The networks that `trama train` knows by name. */
import { conv2d, dense, flatten, maxPool2d, sequential, type Layer } from "../nn/index.ts";

/** `convnet`: 474,590 parameters on 28×28 images and 10 classes. `mlp`: 203,530. */
export const networks: Readonly<Record<NetworkName, (classes: number) => Layer>> = {
  convnet: (classes) =>
    sequential([
      conv2d(28, 3, { activation: "relu" }),
      maxPool2d(2),
      flatten(),
      dense(100, { activation: "relu" }),
      dense(classes),
    ]),
  mlp: (classes) => sequential([flatten(), dense(256, { activation: "relu" }), dense(classes)]),
};

export type NetworkName = "convnet" | "mlp";
