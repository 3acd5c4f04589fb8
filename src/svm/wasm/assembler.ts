/**
 * A WebAssembly assembler on one page: enough of the binary format to write numeric loops by hand.
 *
 * Why: the time of a kernel machine goes into dot products, and a JavaScript engine does not vectorise
 * loops. WebAssembly has 128-bit SIMD on every platform we serve. A compiled blob could not be read or
 * reviewed, and a C toolchain would be a build dependency; so the few loops that matter are written in
 * TypeScript, in the *folded* style of WebAssembly's text format, and encoded here.
 *
 *   sum.set(f32x4.add(sum.get, f32x4.mul(v128.load(p.get), v128.load(q.get))))
 *
 * An expression is the list of its bytes: operands first, then the opcode, as a stack machine wants them.
 * Source: WebAssembly Core Specification 2.0, chapter 5 (binary format); opcodes in its appendix A.7.
 */

/** Encoded instructions. */
export type Code = readonly number[];

/** The value types that our loops use, with their binary codes (§5.3.1–5.3.2). */
const valueTypes = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof valueTypes;

/** A parameter or local variable of the function being written. */
export interface Local {
  readonly get: Code;
  readonly set: (value: Code) => Code;
}

// ---------------------------------------------------------------- numbers (§5.2.2)

/** LEB128 of a non-negative integer below 2³². */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return [...bytes, rest];
}

/** Signed LEB128 of a 32-bit integer: stops when the remaining bits all equal the sign bit just written. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0);
    bytes.push(done ? byte : byte | 0x80);
    if (done) return bytes;
  }
}

/** IEEE 754 single precision, least significant byte first. */
function single(value: number): number[] {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value, true);
  return [...new Uint8Array(view.buffer)];
}

// ---------------------------------------------------------------- instructions (§5.4)

const unary =
  (...opcode: number[]) =>
  (a: Code): Code => [...a, ...opcode];
const binary =
  (...opcode: number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];
const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
/** A load: address, opcode, then alignment (a hint; 2 = 4 bytes) and a constant byte offset. */
const load =
  (...opcode: number[]) =>
  (at: Code, offset = 0): Code => [...at, ...opcode, 2, ...unsigned(offset)];
const store =
  (...opcode: number[]) =>
  (at: Code, value: Code, offset = 0): Code => [...at, ...value, ...opcode, 2, ...unsigned(offset)];

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load: load(0x28),
  add: binary(0x6a),
  less: binary(0x49), // unsigned: addresses reach 4 GiB
  shiftLeft: binary(0x74),
};

export const f32 = {
  const: (value: number): Code => [0x43, ...single(value)],
  add: binary(0x92),
  store: store(0x38),
};

export const f64 = {
  add: binary(0xa0),
};

export const v128 = {
  load: load(...simd(0x00)),
  /** Two 32-bit values into the lower half. */
  load64Zero: load(...simd(0x5d)),
  store: store(...simd(0x0b)),
  zero: [...simd(0x0c), ...new Array<number>(16).fill(0)] as Code,
};

export const i32x4 = {
  splat: unary(...simd(0x11)),
  shiftLeft: binary(...simd(0xab)),
  add: binary(...simd(0xae)),
  /** Rounds towards zero; saturates; NaN gives 0. */
  truncateSaturated: unary(...simd(0xf8)),
};

export const f32x4 = {
  splat: unary(...simd(0x13)),
  lane: (vector: Code, lane: number): Code => [...vector, ...simd(0x1f), lane],
  nearest: unary(...simd(0x6a)),
  add: binary(...simd(0xe4)),
  sub: binary(...simd(0xe5)),
  mul: binary(...simd(0xe6)),
  max: binary(...simd(0xe9)),
};

export const f64x2 = {
  splat: unary(...simd(0x14)),
  lane: (vector: Code, lane: number): Code => [...vector, ...simd(0x21), lane],
  add: binary(...simd(0xf0)),
  sub: binary(...simd(0xf1)),
  mul: binary(...simd(0xf2)),
  /** The two lower f32 lanes. */
  promoteLow: unary(...simd(0x5f)),
};

/** `while (condition) body`. (A block that holds a loop: branch 1 leaves, branch 0 repeats.) */
export function whileTrue(condition: Code, ...body: readonly Code[]): Code {
  const leaveUnless = [...condition, 0x45, 0x0d, 1]; // i32.eqz, br_if 1
  return [0x02, 0x40, 0x03, 0x40, ...leaveUnless, ...body.flat(), 0x0c, 0, 0x0b, 0x0b];
}

// ---------------------------------------------------------------- functions and the module (§5.5)

export interface FunctionSource {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

/** What a function's author is handed: its parameters by name, and a way to declare locals. */
export interface FunctionScope<Names extends string> {
  readonly p: Readonly<Record<Names, Local>>;
  readonly local: (type: ValueType) => Local;
}

const localAt = (index: number): Local => ({
  get: [0x20, ...unsigned(index)],
  set: (value) => [...value, 0x21, ...unsigned(index)],
});

/** One exported function: parameters in the order given, an optional result type, and its instructions. */
export function wasmFunction<Names extends string>(
  name: string,
  parameters: Readonly<Record<Names, ValueType>>,
  result: ValueType | undefined,
  write: (scope: FunctionScope<Names>) => readonly Code[],
): FunctionSource {
  const names = Object.keys(parameters) as Names[];
  const locals: ValueType[] = [];
  const p = Object.fromEntries(names.map((key, index) => [key, localAt(index)])) as Record<Names, Local>;
  const local = (type: ValueType): Local => localAt(names.length + locals.push(type) - 1);
  const body = write({ p, local }).flat();
  return { name, parameters: names.map((key) => parameters[key]), result, locals, body };
}

const vector = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];
const text = (value: string): number[] => vector([...new TextEncoder().encode(value)].map((byte) => [byte]));

function functionBody(source: FunctionSource): Code {
  const locals = vector(source.locals.map((type) => [1, valueTypes[type]]));
  const code = [...locals, ...source.body, 0x0b];
  return [...unsigned(code.length), ...code];
}

/** The module's bytes: `functions` exported by name, over one memory imported as `trama.memory`. */
export function assembleModule(functions: readonly FunctionSource[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...vector(parameters.map((type) => [valueTypes[type]])),
    ...vector(result === undefined ? [] : [[valueTypes[result]]]),
  ]);
  return new Uint8Array([
    0x00,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0, // "\0asm", version 1
    ...section(1, vector(types)),
    ...section(2, vector([[...text("trama"), ...text("memory"), 0x02, 0x00, 0]])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map(({ name }, index) => [...text(name), 0x00, ...unsigned(index)]))),
    ...section(10, vector(functions.map(functionBody))),
  ]);
}
