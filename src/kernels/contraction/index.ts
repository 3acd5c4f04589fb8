/** The multiply-add work of the engine: matmul, convolution and their gradients. */
export { contract, type Contraction } from "./contract.ts";
export { filterGradient, type FilterGradient } from "./filterGradient.ts";
