/** Whole networks: a training step as `fit` runs it, and prediction as `predict` runs it. */
import type { Case, Suite } from "../case.ts";
import { loadTfjsPrediction, loadTfjsStep } from "../engines/tfjsNetworks.ts";
import { loadPrediction, loadStep } from "../engines/tramaNetworks.ts";
import { BATCH, type NetworkName } from "../networks.ts";

/** Multiply-adds of one training step: forward, and twice as many backward, except for the first layer's input. */
function stepFlops(network: NetworkName): number {
  if (network === "MLP") return 2 * BATCH * (2 * 784 * 256 + 3 * 256 * 10);
  const [first, second] = [26 * 26 * 9 * 32, 11 * 11 * 9 * 32 * 64];
  return 2 * BATCH * (2 * first + 3 * (second + 1600 * 128 + 128 * 10));
}

function stepCase(network: NetworkName): Case {
  return {
    name: `${network} training step, batch ${BATCH}`,
    flops: stepFlops(network),
    goal: network === "MLP" ? "mlpStep" : "convNetStep",
    // Adam divides by the root of squares: rounding in the smallest gradients becomes steps of full size.
    tolerance: 2e-3,
    trama: (engine) => loadStep(engine, network),
    tfjs: (engine, trama) => loadTfjsStep(engine, trama, network),
  };
}

export const networkSuite: Suite = {
  name: "networks",
  cases: [
    stepCase("ConvNet"),
    {
      name: `ConvNet prediction, batch ${BATCH}`,
      flops: 2 * BATCH * (26 * 26 * 9 * 32 + 11 * 11 * 9 * 32 * 64 + 1600 * 128 + 128 * 10),
      goal: "prediction",
      tolerance: 1e-3,
      trama: loadPrediction,
      tfjs: loadTfjsPrediction,
    },
    stepCase("MLP"),
  ],
};
