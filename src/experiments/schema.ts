/**
 * Descriptions of JSON: each is a JSON Schema (draft 2020-12) and, at once, the TypeScript type of what it describes. So the
 * schema that is published, the check of a file and the code that reads it cannot differ.
 */

/** The keywords that we use. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean" | "null";
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false;
  readonly anyOf?: readonly JsonSchema[];
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

declare const described: unique symbol;
declare const mayBeAbsent: unique symbol;

/** A JSON Schema of values of type T. */
export interface Schema<T> extends JsonSchema {
  readonly [described]?: T;
}

interface Optional<T> extends Schema<T> {
  readonly [mayBeAbsent]: true;
}

/** The type that a schema describes. */
export type Described<S> = S extends Schema<infer T> ? T : never;

type Properties = Readonly<Record<string, Schema<unknown>>>;
type OptionalKeys<P> = { [K in keyof P]: P[K] extends Optional<unknown> ? K : never }[keyof P];
type Simplified<T> = { [K in keyof T]: T[K] };
type Fields<P> = Simplified<
  { readonly [K in Exclude<keyof P, OptionalKeys<P>>]: Described<P[K]> } & {
    readonly [K in OptionalKeys<P>]?: Described<P[K]>;
  }
>;

type Bounds = Pick<JsonSchema, "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum">;

export const number = (bounds: Bounds = {}): Schema<number> => ({ type: "number", ...bounds });
export const whole = (minimum: number): Schema<number> => ({ type: "integer", minimum });
export const positive = number({ exclusiveMinimum: 0 });
export const notNegative = number({ minimum: 0 });
/** A part of the whole, which is less than it. */
export const share = number({ minimum: 0, exclusiveMaximum: 1 });
export const text: Schema<string> = { type: "string", minLength: 1 };
export const flag: Schema<boolean> = { type: "boolean" };
export const nothing: Schema<null> = { type: "null" };

export const choice = <const T extends string>(...values: readonly T[]): Schema<T> => ({
  type: "string",
  enum: values,
});

export const only = <const T extends string>(value: T): Schema<T> => ({ const: value });

export function list<T>(items: Schema<T>, minItems = 1, maxItems?: number): Schema<readonly T[]> {
  return { type: "array", items, minItems, ...(maxItems === undefined ? {} : { maxItems }) };
}

export const pair = <T>(items: Schema<T>): Schema<readonly [T, T]> => ({
  type: "array",
  items,
  minItems: 2,
  maxItems: 2,
});

/** An object with these keys and no other. */
export function object<const P extends Properties>(properties: P, description?: string): Schema<Fields<P>> {
  const required = Object.keys(properties).filter((key) => !optionals.has(properties[key]!));
  return {
    ...(description === undefined ? {} : { description }),
    type: "object",
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

/** Schemas of keys that may be absent. It is known of the schema itself, so that what is published has standard words only. */
const optionals = new WeakSet<JsonSchema>();

/** A key that may be left out. `fallback` is what it then is, where that is one value. */
export function optional<T>(schema: Schema<T>, description?: string, fallback?: T): Optional<T> {
  const own = {
    ...schema,
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
  };
  optionals.add(own);
  return own as unknown as Optional<T>;
}

export const saying = <T>(description: string, schema: Schema<T>): Schema<T> => ({ ...schema, description });

/** One of several: of another type each, or objects that are told apart by the value of a key, such as `kind`. */
export const either = <const S extends readonly Schema<unknown>[]>(...anyOf: S): Schema<Described<S[number]>> => ({
  anyOf,
});

/** What is defined once, under `$defs`. */
export const named = <T>(name: string): Schema<T> => ({ $ref: `#/$defs/${name}` });
