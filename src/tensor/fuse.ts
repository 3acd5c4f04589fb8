/**
 * Fusion: element-wise work moves into the store of the kernel that makes its input, so the intermediate is never
 * written nor read. Chains of maps melt into one; bias, activation, residual add and the masks of their gradients ride
 * on the convolution, matmul or pooling before them; a copy into a flat gradient buffer becomes a store to that place.
 */
import { isInternal, readsOf, writesOf } from "./graph.ts";
import { computeType, isFloat, isLaneVector } from "./dtype.ts";
import { widthOf, type Dispatch } from "./kernel.ts";
import { chain, readsInFours, type Operand } from "./map.ts";
import { COPY, layoutOfMap, mapKernel } from "./run.ts";
import type { Storage, Tensor } from "./tensor.ts";

/** Longest chain in one kernel: beyond, registers cost more than memory traffic saves. */
const MOST_STEPS = 24;

/** Fuses what can be fused. `returned` storages are read after the program and must be written. */
export function fuse(dispatches: readonly Dispatch[], returned: ReadonlySet<Storage>, mostBuffers: number): Dispatch[] {
  const list: (Dispatch | null)[] = [...dispatches];
  const uses = new Uses(list);
  for (let position = 0; position < list.length; position++) {
    const map = list[position]!;
    if (map.kernel !== mapKernel) continue;
    for (const candidate of fusableOperands(map, returned, uses)) {
      const producer = uses.writers(candidate)[0]!;
      const fused = merge(list[producer]!, map, candidate, mostBuffers);
      if (!fused) continue;
      const early = mayMoveUp(map, candidate, producer, position, uses, list);
      if (!early && !mayWait(candidate, producer, position, uses, list)) continue;
      uses.remove(producer);
      uses.remove(position);
      list[producer] = early ? fused : null;
      list[position] = early ? null : fused;
      uses.add(early ? producer : position);
      break;
    }
  }
  return list.filter((dispatch) => dispatch !== null);
}

/** Which dispatches read and write each storage, by position, kept up to date as dispatches merge. */
class Uses {
  readonly #list: readonly (Dispatch | null)[];
  readonly #readers = new Map<Storage, Set<number>>();
  readonly #writers = new Map<Storage, Set<number>>();

  constructor(list: readonly (Dispatch | null)[]) {
    this.#list = list;
    list.forEach((_, position) => this.add(position));
  }

  readers(storage: Storage): number[] {
    return [...(this.#readers.get(storage) ?? [])];
  }

  writers(storage: Storage): number[] {
    return [...(this.#writers.get(storage) ?? [])];
  }

  add(position: number): void {
    const dispatch = this.#list[position]!;
    for (const { storage } of readsOf(dispatch)) entry(this.#readers, storage).add(position);
    for (const { storage } of writesOf(dispatch)) entry(this.#writers, storage).add(position);
  }

  remove(position: number): void {
    const dispatch = this.#list[position]!;
    for (const { storage } of readsOf(dispatch)) this.#readers.get(storage)?.delete(position);
    for (const { storage } of writesOf(dispatch)) this.#writers.get(storage)?.delete(position);
  }
}

function entry(uses: Map<Storage, Set<number>>, storage: Storage): Set<number> {
  const known = uses.get(storage);
  if (known) return known;
  const made = new Set<number>();
  uses.set(storage, made);
  return made;
}

/** Storages that this map alone reads, element for element, latest producer first. */
function fusableOperands(map: Dispatch, returned: ReadonlySet<Storage>, uses: Uses): Storage[] {
  const storages = new Set<Storage>();
  for (const { tensor, access } of map.epilogue.operands) {
    const { storage } = tensor;
    const private_ = isInternal(storage) && !returned.has(storage) && uses.readers(storage).length === 1;
    if (access === "same" && private_ && uses.writers(storage).length === 1) storages.add(storage);
  }
  const others = map.epilogue.operands.filter(({ access }) => access !== "same").map(({ tensor }) => tensor.storage);
  for (const storage of others) storages.delete(storage);
  return [...storages].sort((a, b) => uses.writers(b)[0]! - uses.writers(a)[0]!);
}

/** One dispatch that does both, or null where the producer cannot carry the map. */
function merge(producer: Dispatch, map: Dispatch, through: Storage, mostBuffers: number): Dispatch | null {
  const [made] = producer.outputs;
  const [target] = map.outputs;
  if (made?.storage !== through || !target || made.size !== target.size || !isFloat(made.dtype)) return null;
  const [type] = Object.values(producer.kernel.outputs);
  if (computeType(type!) !== "f32") return null;
  const passed = map.epilogue.operands.flatMap(({ tensor }, index) => (tensor.storage === through ? [index] : []));
  // A copy is no work at all once it is a store to another place.
  const epilogue = isCopy(map) ? producer.epilogue : chain(producer.epilogue, map.epilogue, passed);
  const outputs = [target, ...producer.outputs.slice(1)];
  const fused = withLayout({ ...producer, epilogue, outputs });
  if (!fused || epilogue.steps.length > MOST_STEPS) return null;
  if (!isLaneVector(type!) && widthOf(fused.constants) !== 1) return null;
  const buffers = readsOf(fused).length + fused.outputs.length;
  return buffers > mostBuffers || aliases(fused) ? null : fused;
}

function isCopy({ epilogue: { steps, operands } }: Dispatch): boolean {
  return steps.length === 1 && operands.length === 1 && steps[0]!.call === COPY;
}

/** A map takes the layout that its operands allow; any other kernel keeps its own, and the operands must suit it. */
function withLayout(fused: Dispatch): Dispatch | null {
  if (fused.kernel === mapKernel) {
    const { size, device } = fused.outputs[0]!;
    const { threads, ...layout } = layoutOfMap(fused.epilogue, size, device);
    return { ...fused, ...layout, extent: threads };
  }
  const suits = (operand: Operand) => widthOf(fused.constants) === 1 || readsInFours(operand);
  return fused.epilogue.operands.every(suits) ? fused : null;
}

/** WebGPU forbids a buffer that one dispatch both reads and writes. */
function aliases(dispatch: Dispatch): boolean {
  const written = new Set(writesOf(dispatch).map(({ storage }) => storage));
  const read = [...dispatch.inputs, ...dispatch.epilogue.operands.map(({ tensor }) => tensor)];
  return read.some(({ storage }) => written.has(storage));
}

/** Whether the map's other inputs are ready, and its output is untouched, at the producer's place. */
function mayMoveUp(
  map: Dispatch,
  through: Storage,
  from: number,
  to: number,
  uses: Uses,
  list: readonly (Dispatch | null)[],
): boolean {
  const between = (position: number) => position >= from && position < to;
  const ready = map.epilogue.operands.every(
    ({ tensor: { storage } }) => storage === through || !uses.writers(storage).some(between),
  );
  const target = map.outputs[0]!;
  const unread = !uses.readers(target.storage).some(between);
  const overlapped = uses
    .writers(target.storage)
    .filter(between)
    .some((position) => writesOf(list[position]!).some((tensor) => overlap(tensor, target)));
  return ready && unread && !overlapped;
}

/**
 * Whether the producer can run at the map's place instead: where the map needs what is computed in between, such as the
 * scale of a batch norm. What is written in between must be no larger than the intermediate that is saved, so that the
 * producer's inputs, which now live longer, cost no memory.
 */
function mayWait(made: Storage, from: number, to: number, uses: Uses, list: readonly (Dispatch | null)[]): boolean {
  const producer = list[from]!;
  const between = (position: number) => position > from && position < to;
  const unwritten = ({ storage }: Tensor) => !uses.writers(storage).some(between);
  const unread = ({ storage }: Tensor) => !uses.readers(storage).some(between);
  if (![...readsOf(producer), ...writesOf(producer)].every(unwritten) || !writesOf(producer).every(unread)) {
    return false;
  }
  let written = 0;
  for (let position = from + 1; position < to && written <= made.bytes; position++) {
    const dispatch = list[position];
    if (dispatch) written += writesOf(dispatch).reduce((sum, { bytes }) => sum + bytes, 0);
  }
  return written <= made.bytes;
}

function overlap(a: Tensor, b: Tensor): boolean {
  return a.storage === b.storage && a.byteOffset < b.byteOffset + b.bytes && b.byteOffset < a.byteOffset + a.bytes;
}
