/** VGG: blocks of 3×3 convolutions with a pooling behind each (Simonyan and Zisserman 2015, table 1, columns D and E). */
import { conv2d, dense, dropout, flatten, maxPool2d, type Layer } from "../nn/index.ts";
import { blocksOf, network, type ArchitectureOptions } from "./network.ts";

export interface VggOptions extends ArchitectureOptions {
  /** Whether each convolution is followed by a batch norm (torchvision's `vgg16_bn`). Default: false. */
  readonly batchNorm?: boolean;
}

/** Convolutions of each block. */
const BLOCKS = { vgg16: [2, 2, 3, 3, 3], vgg19: [2, 2, 4, 4, 4] } as const;

/** Channels of each block. */
const CHANNELS = [64, 128, 256, 512, 512] as const;

/**
 * At 224×224 the classifier sees 7×7 pixels. At other sizes it sees what there is, where torchvision would resample it to
 * 7×7: weights of the classifier fit 224×224 only.
 */
function vgg(name: keyof typeof BLOCKS) {
  return (options: VggOptions = {}): Layer => {
    const { convention = "keras", dropout: rate = 0.5, batchNorm: isNormed = false } = options;
    const { norm, relu, initialiser } = blocksOf(convention, {});
    const convolution = (filters: number, own: string): Layer[] => {
      const settings = { padding: "same", initialiser, name: own } as const;
      if (!isNormed) return [conv2d(filters, 3, { ...settings, activation: "relu" })];
      return [conv2d(filters, 3, settings), norm(`${own}_bn`), relu(`${own}_relu`)];
    };
    const features: Layer[] = [];
    BLOCKS[name].forEach((count, index) => {
      const block = `block${index + 1}`;
      for (let place = 1; place <= count; place++) {
        features.push(...convolution(CHANNELS[index]!, `${block}_conv${place}`));
      }
      features.push(maxPool2d(2, { name: `${block}_pool` }));
    });
    const hidden = (own: string): Layer[] => [dense(4096, { activation: "relu", name: own }), dropout(rate)];
    const top = (classes: number): Layer[] => [
      flatten({ name: "flatten" }),
      ...hidden("fc1"),
      ...hidden("fc2"),
      dense(classes, { name: "predictions" }),
    ];
    return network({ name, features, top, own: ["batchNorm"] }, options);
  };
}

/** 13 convolutions and 3 dense layers. */
export const vgg16 = vgg("vgg16");
/** 16 convolutions and 3 dense layers. */
export const vgg19 = vgg("vgg19");
