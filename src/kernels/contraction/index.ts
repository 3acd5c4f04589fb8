/** The multiply-add work of the engine: matmul, convolution and their gradients. */
export { contract, wantedGroups, type Contraction } from "./contract.ts";
export { correlate, filterOf, spread, type ConvGeometry } from "./convolution.ts";
export { addParts, filterGradient, type FilterGradient } from "./filterGradient.ts";
export { SINGLE } from "./geometry.ts";
