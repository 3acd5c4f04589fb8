/**
 * MobileNetV2 and SqueezeNet 1.1 by TensorFlow.js, written from the papers' tables and Keras' conventions; they share
 * neither code nor tables with ours. Each returns what every layer makes, by Keras' name of it.
 */
import * as tf from "@tensorflow/tfjs";

/** Tensors by their names in the file. */
export type Weights = ReadonlyMap<string, tf.Tensor>;
export type Outputs = ReadonlyMap<string, tf.Tensor>;

export function mobilenetV2(weights: Weights, images: tf.Tensor4D): Outputs {
  const made = new Map<string, tf.Tensor>();
  const note = <T extends tf.Tensor>(name: string, y: T): T => {
    made.set(name, y);
    return y;
  };
  const filters = (name: string) => weights.get(`${name}/kernel`) as tf.Tensor4D;
  const norm = (x: tf.Tensor4D, name: string): tf.Tensor4D => {
    const [mean, variance, beta, gamma] = ["moving_mean", "moving_variance", "beta", "gamma"].map((part) =>
      weights.get(`${name}/${part}`),
    );
    return note(name, tf.batchNorm(x, mean as tf.Tensor1D, variance as tf.Tensor1D, beta, gamma, 1e-3) as tf.Tensor4D);
  };
  const conv = (x: tf.Tensor4D, name: string, stride = 1): tf.Tensor4D =>
    note(name, tf.conv2d(x, filters(name), stride, "same"));

  let x = tf.relu6(norm(conv(images, "Conv1", 2), "bn_Conv1"));
  let block = 0;
  const inverted = (expands: boolean, stride: number, isRepeated: boolean): void => {
    const name = block === 0 ? "expanded_conv" : `block_${block}`;
    const start = x;
    if (expands) x = tf.relu6(norm(conv(x, `${name}_expand`), `${name}_expand_BN`));
    x = note(
      `${name}_depthwise`,
      tf.depthwiseConv2d(x, weights.get(`${name}_depthwise/depthwise_kernel`) as tf.Tensor4D, stride, "same"),
    );
    x = tf.relu6(norm(x, `${name}_depthwise_BN`));
    x = norm(conv(x, `${name}_project`), `${name}_project_BN`);
    if (isRepeated) x = note(`${name}_add`, tf.add(start, x));
    block++;
  };
  inverted(false, 1, false);
  // Blocks and first strides behind the first stage.
  for (const [count, stride] of [[2, 2], [3, 2], [4, 2], [3, 1], [3, 2], [1, 1]] as const) {
    for (let place = 0; place < count; place++) inverted(true, place === 0 ? stride : 1, place > 0);
  } // prettier-ignore
  x = note("out_relu", tf.relu6(norm(conv(x, "Conv_1"), "Conv_1_bn")));
  const features = note("avg_pool", tf.mean<tf.Tensor2D>(x, [1, 2]));
  note(
    "predictions",
    tf.add(tf.matMul(features, weights.get("predictions/kernel")!), weights.get("predictions/bias")!),
  );
  return made;
}

export function squeezenet(weights: Weights, images: tf.Tensor4D): Outputs {
  const made = new Map<string, tf.Tensor>();
  const conv = (x: tf.Tensor4D, name: string, stride = 1): tf.Tensor4D => {
    const filters = weights.get(`${name}/kernel`) as tf.Tensor4D;
    const sum = tf.add<tf.Tensor4D>(tf.conv2d(x, filters, stride, stride === 1 ? "same" : "valid"), weights.get(`${name}/bias`)!);
    const y = tf.relu(sum);
    made.set(name, name === "conv10" ? sum : y);
    return y;
  };
  const fire = (x: tf.Tensor4D, number: number): tf.Tensor4D => {
    const squeezed = conv(x, `fire${number}/squeeze1x1`);
    const y = tf.concat([conv(squeezed, `fire${number}/expand1x1`), conv(squeezed, `fire${number}/expand3x3`)], 3);
    made.set(`fire${number}`, y);
    return y;
  };
  let x = conv(images, "conv1", 2);
  for (const fires of [[2, 3], [4, 5], [6, 7, 8, 9]]) {
    x = tf.maxPool(x, 3, 2, "valid");
    for (const number of fires) x = fire(x, number);
  }
  made.set("avg_pool", tf.mean(conv(x, "conv10"), [1, 2]));
  return made;
} // prettier-ignore
