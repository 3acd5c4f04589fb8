/** All suites. Whole networks come first, so that their first calls find nothing compiled by other cases. */
import type { Suite } from "../case.ts";
import { convolutionSuite } from "./convolution.ts";
import { elementwiseSuite } from "./elementwise.ts";
import { matmulSuite } from "./matmul.ts";
import { networkSuite } from "./networks.ts";
import { optimizerSuite } from "./optimizer.ts";
import { poolingSuite } from "./pooling.ts";
import { softmaxSuite } from "./softmax.ts";

export const SUITES: readonly Suite[] = [
  networkSuite,
  matmulSuite,
  convolutionSuite,
  poolingSuite,
  softmaxSuite,
  elementwiseSuite,
  optimizerSuite,
];
