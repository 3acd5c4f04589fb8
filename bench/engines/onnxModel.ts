/**
 * ONNX models, written node by node: the few messages of onnx.proto3 that describe an operation or a network. The numbers are
 * the fields' numbers there. A case needs newer operators, more types and more outputs than the export of a network.
 */
import { encodeAttribute, type Attribute } from "../../src/onnx/messages.ts";
import { bytes, inOne, integer, joined, message, text, type Encoded } from "../../src/onnx/protobuf.ts";
import type { Shape } from "../../src/tensor/index.ts";

/** Versions of the format and of the operators' definitions. */
const IR_VERSION = 10;
const OPSET = 21;

/** `TensorProto.DataType` */
const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

/** A value of the graph is known by its name. */
export type Value = string;

type Attributes = Readonly<Record<string, Attribute>>;

/** Builds one graph. Each method adds to it, and names what it added. */
export interface OnnxGraph {
  input(shape: Shape, type: ElementType): Value;
  constant(values: ArrayBufferView<ArrayBuffer>, shape: Shape, type: ElementType): Value;
  /** A constant vector of `int64`, as shapes, axes and places are given. */
  ints(...values: readonly number[]): Value;
  /** A constant scalar of `float32`. */
  number(value: number): Value;
  /** A constant vector of `float32`. */
  numbers(...values: readonly number[]): Value;
  /** A constant scalar of `bool`. */
  flag(value: boolean): Value;
  /** An input that is left out is the empty name. */
  node(operator: string, inputs: readonly Value[], attributes?: Attributes): Value;
  /** An operator with several outputs. */
  nodes(operator: string, inputs: readonly Value[], outputs: number, attributes?: Attributes): Value[];
  /** The model of which these values are the outputs, in the order given. */
  encode(outputs: readonly Value[]): Uint8Array<ArrayBuffer>;
}

export function onnxGraph(): OnnxGraph {
  const [inputs, constants, nodes]: [Encoded[], Encoded[], Encoded[]] = [[], [], []];
  let count = 0;
  const fresh = (): Value => `v${count++}`;
  const graph: OnnxGraph = {
    input(shape, type) {
      const name = fresh();
      const extents = shape.map((extent) => message(1, [integer(1, extent)]));
      const tensor = message(1, [integer(1, elementTypes[type]), message(2, extents)]);
      inputs.push(message(11, [text(1, name), message(2, [tensor])]));
      return name;
    },
    constant(values, shape, type) {
      const name = fresh();
      const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const extents = shape.map((extent) => integer(1, extent));
      constants.push(message(5, [...extents, integer(2, elementTypes[type]), text(8, name), bytes(9, data)]));
      return name;
    },
    ints: (...values) => graph.constant(BigInt64Array.from(values, BigInt), [values.length], "int64"),
    number: (value) => graph.constant(Float32Array.of(value), [], "float32"),
    numbers: (...values) => graph.constant(Float32Array.from(values), [values.length], "float32"),
    flag: (value) => graph.constant(Uint8Array.of(Number(value)), [], "bool"),
    node: (operator, from, attributes) => graph.nodes(operator, from, 1, attributes)[0]!,
    nodes(operator, from, outputs, attributes = {}) {
      const names = Array.from({ length: outputs }, fresh);
      const given = Object.entries(attributes).map(([name, value]) =>
        message(5, [text(1, name), ...encodeAttribute(value)]),
      );
      const [into, outOf] = [from.map((name) => text(1, name)), names.map((name) => text(2, name))];
      nodes.push(message(1, [...into, ...outOf, text(4, operator), ...given]));
      return names;
    },
    encode(outputs) {
      const results = outputs.map((name) => message(12, [text(1, name)]));
      const whole = message(7, [...nodes, text(2, "bench"), ...constants, ...inputs, ...results]);
      return inOne(joined([integer(1, IR_VERSION), whole, message(8, [integer(2, OPSET)])]));
    },
  };
  return graph;
}
