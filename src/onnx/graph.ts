/** A graph while it is written: nodes and constants under unique names, and the order of axes of each value. */
import { sizeOf, type Shape } from "../tensor/index.ts";
import type { Attribute, Initialiser, Node } from "./messages.ts";

/** What a node makes. */
export interface Value {
  readonly name: string;
  /** As the layers see it: without the batch, channels last. */
  readonly shape: Shape;
  /** Whether its channels lie behind the batch, as ONNX' convolutions want them. */
  readonly channelsFirst: boolean;
}

export type Attributes = Readonly<Record<string, Attribute>>;

export class Graph {
  readonly nodes: Node[] = [];
  readonly initialisers: Initialiser[] = [];
  /** How often each name was asked for; the ends of the graph have theirs. */
  readonly #names = new Map<string, number>([
    ["input", 1],
    ["output", 1],
  ]);

  /** Adds a node, which is called after `path`; returns the name of what it makes. */
  node(path: string, operator: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const name = this.#unique(path, operator);
    this.nodes.push({ operator, name, inputs, output: name, attributes });
    return name;
  }

  /** Adds a constant of floats; returns its name. */
  floats(path: string, name: string, values: Float32Array, shape: readonly number[]): string {
    return this.#constant(path, { name, shape, values });
  }

  /** Adds a vector of whole numbers, as shapes, paddings and places are given; returns its name. */
  integers(path: string, name: string, values: readonly number[]): string {
    return this.#constant(path, { name, shape: [values.length], values: BigInt64Array.from(values, BigInt) });
  }

  /** The operator that makes a value; undefined for the input. */
  makerOf({ name }: Value): string | undefined {
    return this.nodes.find(({ output }) => output === name)?.operator;
  }

  /** The value with its channels behind the batch. Values of one axis have nothing to move. */
  channelsFirst(path: string, x: Value): Value {
    const { length } = x.shape;
    if (x.channelsFirst || length < 2) return x;
    const middle = Array.from({ length: length - 1 }, (_, axis) => axis + 1);
    const name = this.node(path, "Transpose", [x.name], { perm: [0, length, ...middle] });
    return { ...x, name, channelsFirst: true };
  }

  /** The value with its channels last, as layers number their elements. */
  channelsLast(path: string, x: Value): Value {
    const { length } = x.shape;
    if (!x.channelsFirst) return x;
    const middle = Array.from({ length: length - 1 }, (_, axis) => axis + 2);
    const name = this.node(path, "Transpose", [x.name], { perm: [0, ...middle, 1] });
    return { ...x, name, channelsFirst: false };
  }

  /** The same elements, numbered as layers do, under another shape. */
  reshaped(path: string, x: Value, shape: Shape): Value {
    const channels = x.shape.at(-1) ?? 1;
    const alike = channels === 1 || sizeOf(x.shape) === channels; // whose order is the same either way
    const source = alike ? x : this.channelsLast(path, x);
    const extents = this.integers(path, "shape", [0, ...shape]); // 0: the batch stays what it is
    const name = this.node(path, "Reshape", [source.name, extents]);
    return { name, shape, channelsFirst: false };
  }

  #constant(path: string, constant: Initialiser): string {
    const name = this.#unique(path, constant.name);
    this.initialisers.push({ ...constant, name });
    return name;
  }

  #unique(path: string, own: string): string {
    const wanted = path === "" ? own : `${path}/${own}`;
    const count = this.#names.get(wanted) ?? 0;
    this.#names.set(wanted, count + 1);
    return count === 0 ? wanted : `${wanted}_${count}`;
  }
}

/** Where axis `axis` of a layer's value (without the batch) lies in the graph's. */
export function axisOf({ shape, channelsFirst }: Value, axis: number): number {
  if (!channelsFirst) return axis + 1;
  return axis === shape.length - 1 ? 1 : axis + 2;
}

/** The extents of a value in the graph, without the batch. */
export function extentsOf({ shape, channelsFirst }: Value): Shape {
  return channelsFirst ? [...shape.slice(-1), ...shape.slice(0, -1)] : shape;
}
