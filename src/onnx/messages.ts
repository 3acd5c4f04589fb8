/** The messages of onnx.proto3 that a network needs; the numbers are those of its fields. */
import { bytes, float, integer, joined, message, text, type Encoded } from "./protobuf.ts";

/** Operators are those of opset 17 (ONNX 1.12): the first with layer norm. */
export const OPSET = 17;
/** The format of files that goes with it. */
export const IR_VERSION = 8;

export type ElementType = "float32" | "uint8" | "int64";

/** `TensorProto.DataType` */
export const DATA_TYPES: Readonly<Record<ElementType, number>> = { float32: 1, uint8: 2, int64: 7 };

/** A whole number or several are integers; `{ float }` is the other kind of number. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

export interface Node {
  readonly operator: string;
  readonly name: string;
  /** Names of values; an optional one that is left out is empty. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant. */
export interface Initialiser {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | BigInt64Array;
}

/** What goes in or comes out; `batch` stands for any number. */
export interface Port {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | "batch")[];
  readonly description: string;
}

export interface GraphParts {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initialisers: readonly Initialiser[];
  readonly input: Port;
  readonly output: Port;
}

export interface FileParts extends GraphParts {
  readonly producer: readonly [name: string, version: string];
  readonly metadata: Readonly<Record<string, string>>;
}

/** `ModelProto` */
export function encodeFile({ producer, metadata, ...graph }: FileParts): Encoded {
  return joined([
    integer(1, IR_VERSION),
    text(2, producer[0]),
    text(3, producer[1]),
    message(7, encodeGraph(graph)),
    message(8, [text(1, ""), integer(2, OPSET)]),
    ...Object.entries(metadata).map(([key, value]) => message(14, [text(1, key), text(2, value)])),
  ]);
}

/** `GraphProto` */
function encodeGraph({ name, nodes, initialisers, input, output }: GraphParts): Encoded[] {
  return [
    ...nodes.map((node) => message(1, encodeNode(node))),
    text(2, name),
    ...initialisers.map((initialiser) => message(5, encodeTensor(initialiser))),
    message(11, encodePort(input)),
    message(12, encodePort(output)),
  ];
}

/** `NodeProto` */
function encodeNode({ operator, name, inputs, output, attributes }: Node): Encoded[] {
  return [
    ...inputs.map((input) => text(1, input)),
    text(2, output),
    text(3, name),
    text(4, operator),
    ...Object.entries(attributes).map(([key, value]) => message(5, [text(1, key), ...encodeAttribute(value)])),
  ];
}

/** The value of an `AttributeProto`, and its `AttributeType`. */
export function encodeAttribute(value: Attribute): Encoded[] {
  if (typeof value === "number") return [integer(3, value), integer(20, 2)];
  if (typeof value === "string") return [text(4, value), integer(20, 3)];
  if ("float" in value) return [float(2, value.float), integer(20, 1)];
  return [...value.map((each) => integer(8, each)), integer(20, 7)];
}

/** `TensorProto` */
function encodeTensor({ name, shape, values }: Initialiser): Encoded[] {
  return [
    ...shape.map((extent) => integer(1, extent)),
    integer(2, DATA_TYPES[values instanceof Float32Array ? "float32" : "int64"]),
    text(8, name),
    bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ];
}

/** `ValueInfoProto` */
function encodePort({ name, type, shape, description }: Port): Encoded[] {
  const extents = shape.map((extent) => message(1, [extent === "batch" ? text(2, extent) : integer(1, extent)]));
  const tensor = message(1, [integer(1, DATA_TYPES[type]), message(2, extents)]);
  return [text(1, name), message(2, [tensor]), text(3, description)];
}
