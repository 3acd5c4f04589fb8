/** State dictionaries of torchvision's models, names and shapes, written down from their architectures. */

export type Shapes = Readonly<Record<string, readonly number[]>>;

// Modules of PyTorch and what they put into a state dictionary.

const norm = (path: string, channels: number): Shapes => ({
  [`${path}.weight`]: [channels],
  [`${path}.bias`]: [channels],
  [`${path}.running_mean`]: [channels],
  [`${path}.running_var`]: [channels],
  [`${path}.num_batches_tracked`]: [],
});
const conv = (path: string, inputs: number, out: number, size: number, bias = false): Shapes => ({
  [`${path}.weight`]: [out, inputs, size, size],
  ...(bias ? { [`${path}.bias`]: [out] } : {}),
});
const linear = (path: string, inputs: number, out: number): Shapes => ({
  [`${path}.weight`]: [out, inputs],
  [`${path}.bias`]: [out],
});

function merged(parts: readonly Shapes[]): Shapes {
  return Object.assign({}, ...parts) as Shapes;
}

/** Numbers that training changes; PyTorch counts no others. */
export function countOf(shapes: Shapes): number {
  const learnt = Object.entries(shapes).filter(([name]) => /(weight|bias)$/.test(name));
  return learnt.reduce((sum, [, shape]) => sum + shape.reduce((product, extent) => product * extent, 1), 0);
}

/** @param blocks convolutions of each block. @param isNorm whether a batch norm follows each. */
export function vgg(blocks: readonly number[], isNorm: boolean): Shapes {
  const found: Shapes[] = [];
  let [module, inputs] = [0, 3];
  blocks.forEach((count, block) => {
    for (let index = 0; index < count; index++) {
      const out = Math.min(64 * 2 ** block, 512);
      found.push(conv(`features.${module++}`, inputs, out, 3, true));
      if (isNorm) found.push(norm(`features.${module++}`, out));
      module++; // ReLU
      inputs = out;
    }
    module++; // pooling
  });
  const top = [
    linear("classifier.0", 512 * 49, 4096),
    linear("classifier.3", 4096, 4096),
    linear("classifier.6", 4096, 1000),
  ];
  return merged([...found, ...top]);
}

/** @param width of the last convolution of a block, as a multiple of the others. */
export function resnet(blocks: readonly number[], width: 1 | 4): Shapes {
  const found: Shapes[] = [conv("conv1", 3, 64, 7), norm("bn1", 64)];
  let inputs = 64;
  blocks.forEach((count, stage) => {
    const channels = 64 * 2 ** stage;
    for (let index = 0; index < count; index++) {
      const path = `layer${stage + 1}.${index}`;
      const sizes = width === 1 ? [3, 3] : [1, 3, 1];
      let last = inputs;
      sizes.forEach((size, place) => {
        const out = place === sizes.length - 1 ? channels * width : channels;
        found.push(conv(`${path}.conv${place + 1}`, last, out, size), norm(`${path}.bn${place + 1}`, out));
        last = out;
      });
      if (index === 0 && inputs !== last) {
        found.push(conv(`${path}.downsample.0`, inputs, last, 1), norm(`${path}.downsample.1`, last));
      }
      inputs = last;
    }
  });
  return merged([...found, linear("fc", inputs, 1000)]);
}

/** @param isOld as files of before 2019 write it. */
export function densenet(blocks: readonly number[], isOld = false): Shapes {
  const found: Shapes[] = [conv("features.conv0", 3, 64, 7), norm("features.norm0", 64)];
  const dot = isOld ? "." : "";
  let channels = 64;
  blocks.forEach((count, block) => {
    for (let layer = 1; layer <= count; layer++) {
      const path = `features.denseblock${block + 1}.denselayer${layer}`;
      found.push(norm(`${path}.norm${dot}1`, channels), conv(`${path}.conv${dot}1`, channels, 128, 1));
      found.push(norm(`${path}.norm${dot}2`, 128), conv(`${path}.conv${dot}2`, 128, 32, 3));
      channels += 32;
    }
    if (block === blocks.length - 1) return;
    const path = `features.transition${block + 1}`;
    found.push(norm(`${path}.norm`, channels), conv(`${path}.conv`, channels, channels / 2, 1));
    channels /= 2;
  });
  return merged([...found, norm("features.norm5", channels), linear("classifier", channels, 1000)]);
}

/** MobileNetV2 (arXiv:1801.04381, table 2): expansion, channels, blocks of each stage. */
export function mobilenetV2(classes: number): Shapes {
  const stages = [
    [1, 16, 1],
    [6, 24, 2],
    [6, 32, 3],
    [6, 64, 4],
    [6, 96, 3],
    [6, 160, 3],
    [6, 320, 1],
  ] as const;
  const found = [conv("features.0.0", 3, 32, 3), norm("features.0.1", 32)];
  let [inputs, module] = [32, 1];
  for (const [expansion, channels, blocks] of stages) {
    for (let block = 0; block < blocks; block++) {
      const path = `features.${module++}.conv`;
      const inner = inputs * expansion;
      if (expansion > 1) found.push(conv(`${path}.0.0`, inputs, inner, 1), norm(`${path}.0.1`, inner));
      const next = expansion > 1 ? 1 : 0;
      found.push(conv(`${path}.${next}.0`, 1, inner, 3), norm(`${path}.${next}.1`, inner));
      found.push(conv(`${path}.${next + 1}`, inner, channels, 1), norm(`${path}.${next + 2}`, channels));
      inputs = channels;
    }
  }
  const top = [conv("features.18.0", 320, 1280, 1), norm("features.18.1", 1280), linear("classifier.1", 1280, classes)];
  return merged([...found, ...top]);
}

/** @param fires numbers of the fire modules. @param first filters of the first convolution, and their size. */
export function squeezenet(
  fires: readonly number[],
  first: readonly [out: number, size: number],
  classes: number,
): Shapes {
  const squeezes = [16, 16, 32, 32, 48, 48, 64, 64];
  let inputs = first[0];
  const blocks = fires.map((module, index) => {
    const [path, squeeze] = [`features.${module}`, squeezes[index]!];
    const block = merged([
      conv(`${path}.squeeze`, inputs, squeeze, 1, true),
      conv(`${path}.expand1x1`, squeeze, 4 * squeeze, 1, true),
      conv(`${path}.expand3x3`, squeeze, 4 * squeeze, 3, true),
    ]);
    inputs = 8 * squeeze;
    return block;
  });
  return merged([conv("features.0", 3, ...first, true), ...blocks, conv("classifier.1", 512, classes, 1, true)]);
}
