/**
 * Python's pickle, protocols 2 to 5, as a reader of data (opcodes: CPython, `Lib/pickletools.py`).
 *
 * A pickle is a program for a stack machine, and can ask for any Python function and call it. Here it can ask only for
 * what its host lists by name, and what those names do is the host's: they make plain data. Every other name is refused
 * before anything is called. The machine has no recursion, no jumps, and makes no more than one object for a byte that it reads.
 */
import { FormatError } from "../../errors.ts";

/** What a name of Python's stands for: a function of the host, or a value that is only passed on. */
export type PickleGlobal = ((...args: readonly unknown[]) => unknown) | object | string;

export interface PickleHost {
  /** By full name, such as `collections.OrderedDict`; modules of Python 2 go by their names of today. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** What a persistent identifier stands for: an object that is kept outside the pickle. */
  persistent?(id: unknown): unknown;
}

export interface Unpickled {
  readonly value: unknown;
  /** Where the pickle ends, in bytes from the beginning of the file. */
  readonly end: number;
}

/** Longer whole numbers are refused: no size, key or count needs them. */
const MAX_NUMBER_BYTES = 64;

/** Module names that Python 3 writes into protocol 2 for readers of Python 2. */
const MODERN: Readonly<Record<string, string>> = { __builtin__: "builtins", copy_reg: "copyreg" };

/**
 * Reads the pickle that begins at `start`. Dictionaries become `Map`s, lists and tuples arrays, None null, bytes views of
 * the file, whole numbers beyond 2⁵³ bigints.
 * @param file what errors call it.
 * @throws {FormatError} naming the global or opcode that is refused, or saying what is broken.
 */
export function unpickle(bytes: Uint8Array, start: number, file: string, host: PickleHost): Unpickled {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const memo = new Map<number, unknown>();
  const marks: number[] = [];
  const stack: unknown[] = [];
  let place = start;

  // Reading what follows an opcode.

  function advance(count: number): number {
    if (count > bytes.length - place) throw fault(`${count} bytes at byte ${place}`, `the end of the file`);
    place += count;
    return place - count;
  }
  const u8 = (): number => view.getUint8(advance(1));
  const u16 = (): number => view.getUint16(advance(2), true);
  const u32 = (): number => view.getUint32(advance(4), true);
  const u64 = (): number => Number(view.getBigUint64(advance(8), true));

  function slice(count: number): Uint8Array {
    const begin = advance(count);
    return bytes.subarray(begin, begin + count);
  }

  const text = (count: number): string => new TextDecoder().decode(slice(count));

  function line(): string {
    const length = bytes.subarray(place).indexOf(0x0a);
    if (length < 0) throw fault("a line", "the end of the file");
    const characters = text(length);
    advance(1);
    return characters;
  }

  /** A little-endian number in two's complement. */
  function long(count: number): number | bigint {
    if (count > MAX_NUMBER_BYTES) throw fault(`numbers of at most ${MAX_NUMBER_BYTES} bytes`, `${count}`);
    const value = slice(count).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
    const signed = BigInt.asIntN(8 * count, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  // The stack.

  function pop(): unknown {
    if (stack.length <= (marks.at(-1) ?? 0)) throw fault("a value on the stack", "none");
    return stack.pop();
  }

  function popToMark(): unknown[] {
    const mark = marks.pop();
    if (mark === undefined) throw fault("a mark on the stack", "none");
    return stack.splice(mark);
  }

  /** What the next opcodes fill: the value on top, which must be of the right kind. */
  function top<T extends object>(kind: abstract new (...args: never[]) => T, what: string): T {
    const value = stack.at(-1);
    if (value instanceof kind && stack.length > (marks.at(-1) ?? 0)) return value;
    throw fault(`${what} on the stack`, "something else");
  }

  function popTuple(): readonly unknown[] {
    const value = pop();
    if (Array.isArray(value)) return value;
    throw fault("arguments in a tuple", "something else");
  }

  function keep(index: number): void {
    const value = pop();
    stack.push(value);
    memo.set(index, value);
  }

  function recall(index: number): unknown {
    if (!memo.has(index)) throw fault(`value ${index} to have been kept`, "none of that number");
    return memo.get(index);
  }

  const lastTuple = (count: number): unknown[] => Array.from({ length: count }, pop).reverse();

  function setItems(items: readonly unknown[]): void {
    const map = top(Map, "a dictionary");
    if (items.length % 2 !== 0) throw fault("a value for each key", "a key too many");
    for (let index = 0; index < items.length; index += 2) map.set(items[index], items[index + 1]);
  }

  // Names of Python's.

  function global(module: string, name: string): PickleGlobal {
    const path = `${Object.hasOwn(MODERN, module) ? MODERN[module] : module}.${name}`;
    const found = host.globals.get(path);
    if (found !== undefined) return found;
    throw new FormatError({
      where: file,
      expected: "tensors in dictionaries",
      got: `a pickle that asks for ${path}`,
      advice:
        "it was refused and nothing was run; in PyTorch, save the weights alone: torch.save(model.state_dict(), file)",
    });
  }

  function call(): unknown {
    const args = popTuple();
    const callee = pop();
    if (typeof callee === "function") return (callee as (...given: readonly unknown[]) => unknown)(...args);
    throw fault("a function to call", "something else");
  }

  function persistent(): unknown {
    if (host.persistent === undefined) throw fault("all data inside the pickle", "a persistent identifier");
    return host.persistent(pop());
  }

  function fault(expected: string, got: string): FormatError {
    const advice = "the file is damaged or no such pickle: get it again";
    return new FormatError({ where: `${file} (pickle)`, expected, got, advice });
  }

  /** Opcodes that leave a value on the stack. */
  const pushing: Readonly<Record<number, () => unknown>> = {
    [code("N")]: () => null,
    [0x88]: () => true,
    [0x89]: () => false,
    [code("J")]: () => view.getInt32(advance(4), true),
    [code("K")]: u8,
    [code("M")]: u16,
    [0x8a]: () => long(u8()),
    [0x8b]: () => long(u32()),
    [code("G")]: () => view.getFloat64(advance(8)),
    [code("X")]: () => text(u32()),
    [0x8c]: () => text(u8()),
    [0x8d]: () => text(u64()),
    // Strings of Python 2, which were bytes; PyTorch's are ASCII.
    [code("U")]: () => text(u8()),
    [code("T")]: () => text(u32()),
    [code("C")]: () => slice(u8()),
    [code("B")]: () => slice(u32()),
    [0x8e]: () => slice(u64()),
    [0x96]: () => slice(u64()),
    [code("]")]: () => [],
    [code("l")]: popToMark,
    [code(")")]: () => [],
    [code("t")]: popToMark,
    [0x85]: () => lastTuple(1),
    [0x86]: () => lastTuple(2),
    [0x87]: () => lastTuple(3),
    [code("}")]: () => new Map(),
    [0x8f]: () => new Set(),
    [0x91]: () => new Set(popToMark()),
    [code("2")]: () => {
      const value = pop();
      stack.push(value);
      return value;
    },
    [code("h")]: () => recall(u8()),
    [code("j")]: () => recall(u32()),
    [code("c")]: () => global(line(), line()),
    [0x93]: () => {
      const name = pop();
      return global(inBrief(pop()), inBrief(name));
    },
    [code("R")]: call,
    [0x81]: call,
    [code("Q")]: persistent,
  };

  /** Opcodes that change what is there. */
  const changing: Readonly<Record<number, () => void>> = {
    [0x80]: () => requireProtocol(u8()),
    // A frame says how much to read ahead; here all has been read.
    [0x95]: () => void advance(8),
    [code("(")]: () => void marks.push(stack.length),
    [code("0")]: () => void pop(),
    [code("1")]: () => void popToMark(),
    [code("q")]: () => keep(u8()),
    [code("r")]: () => keep(u32()),
    [0x94]: () => keep(memo.size),
    [code("a")]: () => {
      const item = pop();
      top(Array, "a list").push(item);
    },
    [code("e")]: () => {
      const items = popToMark();
      const list = top(Array, "a list");
      for (const item of items) list.push(item);
    },
    [code("s")]: () => setItems(lastTuple(2)),
    [code("u")]: () => setItems(popToMark()),
    [0x90]: () => {
      const items = popToMark();
      const set = top(Set, "a set");
      for (const item of items) set.add(item);
    },
    // Attributes of an object: those that a state dictionary has, its version among them, are no weights.
    [code("b")]: () => {
      pop();
      top(Object, "an object");
    },
  };

  function requireProtocol(protocol: number): void {
    if (protocol < 2 || protocol > 5) throw fault("a pickle of protocol 2 to 5", `protocol ${protocol}`);
  }

  for (;;) {
    const opcode = u8();
    if (opcode === code(".")) return { value: pop(), end: place };
    const push = pushing[opcode];
    const change = changing[opcode];
    if (push !== undefined) stack.push(push());
    else if (change !== undefined) change();
    else throw fault("opcodes that make data", `opcode 0x${opcode.toString(16)} at byte ${place - 1}`);
  }
}

/**
 * A value in a few words, for messages and lists. One level only: a pickle of a few bytes can hold a list that would take
 * for ever to write out.
 */
export function inBrief(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value instanceof Map) return "a dictionary";
  if (Array.isArray(value)) {
    const isShort = value.length <= 8 && value.every((item) => typeof item === "number");
    return isShort ? `[${value.join(", ")}]` : "a list";
  }
  if (typeof value === "bigint") return `${value}`;
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return "an object";
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function code(character: string): number {
  return character.charCodeAt(0);
}
