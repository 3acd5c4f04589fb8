/**
 * SqueezeNet 1.1 (Iandola et al. 2016, and the authors' release of version 1.1): "fire" modules squeeze to few channels
 * and expand by 1×1 and 3×3 filters side by side; the classifier is a convolution and a mean.
 */
import {
  activation,
  concat,
  conv2d,
  dropout,
  globalAveragePool2d,
  maxPool2d,
  sequential,
  type Layer,
} from "../nn/index.ts";
import { initialiserOf, network, type ArchitectureOptions } from "./network.ts";

/** Channels that `fire2` to `fire9` squeeze to; each expands to eight times as many. A pooling comes before every row. */
const SQUEEZES = [[16, 16], [32, 32], [48, 48, 64, 64]] as const; // prettier-ignore

/** Keras' version drops what is left at the edge of a pooling; torchvision keeps it (`ceilMode`). */
export function squeezenet(options: ArchitectureOptions = {}): Layer {
  const { convention = "keras", dropout: rate = 0.5 } = options;
  const settings = { activation: "relu", initialiser: initialiserOf(convention) } as const;
  const features = [conv2d(64, 3, { ...settings, stride: 2, name: "conv1" })];
  let fire = 2;
  for (const squeezes of SQUEEZES) {
    features.push(maxPool2d(3, { stride: 2, ceilMode: convention === "torch", name: `pool${fire - 1}` }));
    for (const channels of squeezes) {
      const expand = [
        conv2d(4 * channels, 1, { ...settings, name: "expand1x1" }),
        conv2d(4 * channels, 3, { ...settings, padding: "same", name: "expand3x3" }),
      ];
      const squeeze = conv2d(channels, 1, { ...settings, name: "squeeze1x1" });
      features.push(sequential([squeeze, concat(expand, { name: "concat" })], { name: `fire${fire++}` }));
    }
  }
  const top = (classes: number): Layer[] => [
    dropout(rate, { name: "drop9" }),
    conv2d(classes, 1, { initialiser: settings.initialiser, name: "conv10" }),
    activation("relu", { name: "relu_conv10" }),
    globalAveragePool2d({ name: "avg_pool" }),
  ];
  return network({ name: "squeezenet1_1", features, top }, options);
}
