/** The compiled training step: picking the batch, forward, loss, backward, update, totals. */
import {
  advance,
  gatherBatch,
  scheduleRate,
  softmaxCrossEntropy,
  tally,
  type BatchPlace,
  type RandomKey,
} from "../kernels/index.ts";
import { viewsOf, type CallContext, type Model, type Optimizer } from "../nn/index.ts";
import { compile, copyInto, valueAndGradients, type Program } from "../tensor/index.ts";
import type { ResidentDataset } from "./residentDataset.ts";
import type { TrainingState } from "./trainingState.ts";

/** Compiles one step over the batch at `place`: a full one, or the smaller one at the end of an epoch. */
export function compileStep(
  model: Model,
  optimizer: Optimizer,
  data: ResidentDataset,
  state: TrainingState,
  place: BatchPlace,
  seed: number,
): Promise<Program<null>> {
  const random = (layer: number): RandomKey => ({ seed, layer, step: state.step });
  const context: CallContext = { training: true, random };
  const { learnt, rate, rateFactor: plateauFactor } = state;
  const variables = learnt.flatMap(({ parameters }) => parameters.map(({ tensor }) => tensor));
  const places = learnt.flatMap(({ parameters, gradients }) => viewsOf(gradients, parameters));
  return compile(model.device, [], () => {
    const { x, y } = gatherBatch(data, place, model.normalisation);
    const forward = () => {
      const logits = model.call(x, context);
      const loss = softmaxCrossEntropy(logits, y);
      tally(state.totals, loss, logits, y);
      return loss;
    };
    const { gradients } = valueAndGradients(forward, variables);
    gradients.forEach((gradient, index) => copyInto(gradient, places[index]!));
    scheduleRate(optimizer.learningRate, { step: state.step, rate, plateauFactor });
    for (const range of learnt) {
      optimizer.step(range.values, range.slots, { gradients: range.gradients, rate, step: state.step });
    }
    advance(state.step);
    advance(state.cursor);
    return null;
  });
}
