/** All suites. Whole networks come first, so that their first calls find nothing compiled by other cases. */
import type { Suite } from "../case.ts";
import { convolutionSuite } from "./convolution.ts";
import { dataSuite } from "./data.ts";
import { elementwiseSuite } from "./elementwise.ts";
import { lossSuite } from "./losses.ts";
import { matmulSuite } from "./matmul.ts";
import { modelSuite } from "./models.ts";
import { networkSuite } from "./networks.ts";
import { normalisationSuite } from "./normalisation.ts";
import { optimizerSuite } from "./optimizers.ts";
import { otherConvolutionSuite } from "./otherConvolutions.ts";
import { poolingSuite } from "./pooling.ts";
import { reductionSuite } from "./reductions.ts";
import { shapeSuite } from "./shapes.ts";
import { softmaxSuite } from "./softmax.ts";

export const SUITES: readonly Suite[] = [
  networkSuite,
  modelSuite,
  matmulSuite,
  convolutionSuite,
  otherConvolutionSuite,
  poolingSuite,
  normalisationSuite,
  softmaxSuite,
  lossSuite,
  reductionSuite,
  elementwiseSuite,
  shapeSuite,
  dataSuite,
  optimizerSuite,
];
