/** Names and layouts of other programs. */
export { keras, kerasApplications } from "./keras.ts";
export { rename, type Convention, type NameMap, type NameRule } from "./nameMap.ts";
export { torch } from "./torch.ts";
export { torchvision } from "./torchvision.ts";
