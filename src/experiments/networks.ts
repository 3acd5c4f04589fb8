/** The studies' networks that have a name. */
import { conv2d, dense, dropout, flatten, maxPool2d, sequential, type Layer } from "../nn/index.ts";

/** S0's ConvNet: 474,590 parameters on 28×28 images and 10 classes. */
export function convnet(classes: number): Layer {
  return sequential([
    conv2d(28, 3, { activation: "relu" }),
    maxPool2d(2),
    flatten(),
    dense(100, { activation: "relu" }),
    dense(classes),
  ]);
}

export interface PerceptronOptions {
  /** Units of each hidden layer. Default: `[256]`. */
  readonly units?: readonly number[];
  /** Rate of the dropout behind each hidden layer. Default: 0, none. */
  readonly dropout?: number;
}

/** The dense networks of S2 and S4: hidden layers with ReLU. */
export function perceptron(classes: number, { units = [256], dropout: rate = 0 }: PerceptronOptions = {}): Layer {
  const hidden = units.flatMap((count) => [dense(count, { activation: "relu" }), ...(rate > 0 ? [dropout(rate)] : [])]);
  return sequential([flatten(), ...hidden, dense(classes)]);
}
