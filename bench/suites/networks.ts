/** Whole networks: a training step as `fit` runs it, and prediction as `predict` runs it. */
import type { Case, CaseFacts, Suite } from "../case.ts";
import { loadJaxPrediction, loadJaxStep } from "../engines/jaxNetworks.ts";
import { loadOrtPrediction } from "../engines/ortNetworks.ts";
import { loadTfjsPrediction, loadTfjsStep } from "../engines/tfjsNetworks.ts";
import { loadPrediction, loadStep } from "../engines/tramaNetworks.ts";
import { CONVNET, MLP, NORMED, predictionFlops, stepFlops, type Network } from "../networks.ts";

/** Adam divides by the root of squares: rounding in the smallest gradients becomes steps of full size. */
const STEP_TOLERANCE = 2e-3;

export function stepCase(network: Network, facts: Partial<CaseFacts> = {}): Case {
  return {
    name: `${network.name} training step, batch ${network.batch}`,
    flops: stepFlops(network),
    tolerance: STEP_TOLERANCE,
    ...facts,
    trama: (engine) => loadStep(engine, network),
    peers: {
      tfjs: (engine, trama) => loadTfjsStep(engine, trama, network),
      jax: (engine, trama) => loadJaxStep(engine, trama, network),
    },
  };
}

/** In half precision, against ourselves: TensorFlow.js has none. */
export function mixedStepCase(network: Network, facts: Partial<CaseFacts> = {}): Case {
  return {
    name: `${network.name} training step, mixed precision, batch ${network.batch}`,
    flops: stepFlops(network),
    needs: "shader-f16",
    tolerance: 2e-2,
    ...facts,
    trama: (engine) => loadStep(engine, network, "mixed"),
    peers: { baseline: (trama) => loadStep(trama, network) },
  };
}

export function predictionCase(network: Network, facts: Partial<CaseFacts> = {}): Case {
  return {
    name: `${network.name} prediction, batch ${network.batch}`,
    flops: predictionFlops(network),
    tolerance: 1e-3,
    ...facts,
    trama: (engine) => loadPrediction(engine, network),
    peers: {
      tfjs: (engine, trama) => loadTfjsPrediction(engine, trama, network),
      ort: (engine, trama) => loadOrtPrediction(engine, trama, network),
      jax: (engine, trama) => loadJaxPrediction(engine, trama, network),
    },
  };
}

export const networkSuite: Suite = {
  name: "networks",
  cases: [
    stepCase(CONVNET, { goal: "convNetStep" }),
    mixedStepCase(CONVNET, { goal: "mixedStep" }),
    predictionCase(CONVNET, { goal: "prediction" }),
    stepCase(MLP, { goal: "mlpStep" }),
    mixedStepCase(MLP, { when: "full" }),
    stepCase(NORMED, { when: "full" }),
    predictionCase(NORMED, { when: "full" }),
  ],
};
