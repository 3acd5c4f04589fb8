/** Keras's convention, which is ours: paths with slashes, kernels `[height, width, in, out]`, features last. */
import { rowMajor } from "../strided.ts";
import { sameUpToOnes, type Convention, type NameMap } from "./nameMap.ts";

const convention: Convention = {
  name: "Keras",
  separator: "/",
  part: (name) => name.replace(/:\d+$/, ""),
  view: (theirs, ours) => (sameUpToOnes(theirs, ours) ? { shape: theirs, strides: rowMajor(theirs) } : undefined),
};

/** Names as they are in Keras's files and in ours. */
export const keras: NameMap = { name: "Keras", convention, rules: [] };

/** The models of `keras.applications`, whose layers had other names in some older files. */
export const kerasApplications: NameMap = {
  name: "Keras applications",
  convention,
  rules: [
    [/^conv1\/(conv|bn)$/, "conv1_$1"],
    [/^(fc1000|Logits)$/, "predictions"],
  ],
};
