/**
 * ONNX models, written node by node and encoded as protobuf: the few messages of onnx.proto3 that describe an operation or
 * a network. The numbers are the fields' numbers there.
 */
import type { Shape } from "../../src/tensor/index.ts";

/** Versions of the format and of the operators' definitions. */
const IR_VERSION = 10;
const OPSET = 21;

/** `TensorProto.DataType` */
const elementTypes = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
export type ElementType = keyof typeof elementTypes;

/** A value of the graph is known by its name. */
export type Value = string;

/** A whole number, or several, is an int; `{ float }` is the other kind of number. */
export type Attribute = number | readonly number[] | string | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

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
  const [inputs, constants, nodes]: [Bytes[], Bytes[], Bytes[]] = [[], [], []];
  let count = 0;
  const fresh = (): Value => `v${count++}`;
  const graph: OnnxGraph = {
    input(shape, type) {
      const name = fresh();
      const dimensions = shape.map((extent) => message(1, int(1, extent)));
      inputs.push(
        message(11, text(1, name), message(2, message(1, int(1, elementTypes[type]), message(2, ...dimensions)))),
      );
      return name;
    },
    constant(values, shape, type) {
      const name = fresh();
      const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const dimensions = shape.map((extent) => int(1, extent));
      constants.push(message(5, ...dimensions, int(2, elementTypes[type]), text(8, name), message(9, data)));
      return name;
    },
    ints: (...values) => graph.constant(BigInt64Array.from(values, BigInt), [values.length], "int64"),
    number: (value) => graph.constant(Float32Array.of(value), [], "float32"),
    numbers: (...values) => graph.constant(Float32Array.from(values), [values.length], "float32"),
    flag: (value) => graph.constant(Uint8Array.of(Number(value)), [], "bool"),
    node: (operator, from, attributes) => graph.nodes(operator, from, 1, attributes)[0]!,
    nodes(operator, from, outputs, attributes = {}) {
      const names = Array.from({ length: outputs }, fresh);
      const given = Object.entries(attributes).map(([name, value]) => message(5, ...attribute(name, value)));
      nodes.push(
        message(
          1,
          ...from.map((name) => text(1, name)),
          ...names.map((name) => text(2, name)),
          text(4, operator),
          ...given,
        ),
      );
      return names;
    },
    encode(outputs) {
      const results = outputs.map((name) => message(12, text(1, name)));
      const whole = message(7, ...nodes, text(2, "bench"), ...constants, ...inputs, ...results);
      return joined([int(1, IR_VERSION), whole, message(8, int(2, OPSET))]);
    },
  };
  return graph;
}

/** `AttributeProto` */
function attribute(name: string, value: Attribute): Bytes[] {
  const [float, whole, string, wholes] = [1, 2, 3, 7]; // AttributeType
  const typed = (type: number, ...fields: Bytes[]) => [text(1, name), ...fields, int(20, type)];
  if (typeof value === "number") return typed(whole, int(3, value));
  if (typeof value === "string") return typed(string, text(4, value));
  if ("float" in value) return typed(float, fixed(2, value.float));
  return typed(wholes, ...value.map((each) => int(8, each)));
}

type Bytes = Uint8Array<ArrayBuffer>;

const [VARINT, DELIMITED, FIXED32] = [0, 2, 5];

const utf8 = new TextEncoder();

/** Seven bits to a byte, the lowest first; negative numbers in two's complement of 64 bits. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const tag = (field: number, kind: number) => varint(field * 8 + kind);

const int = (field: number, value: number): Bytes => Uint8Array.from([...tag(field, VARINT), ...varint(value)]);

const fixed = (field: number, value: number): Bytes =>
  joined([Uint8Array.from(tag(field, FIXED32)), new Uint8Array(Float32Array.of(value).buffer)]);

const text = (field: number, value: string): Bytes => message(field, utf8.encode(value));

function message(field: number, ...parts: readonly Bytes[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return joined([Uint8Array.from([...tag(field, DELIMITED), ...varint(length)]), ...parts]);
}

function joined(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
