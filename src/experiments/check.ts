/** Checks a value against a schema, and finds everything that is wrong with it. */
import { closest } from "../weights/index.ts";
import type { JsonSchema } from "./schema.ts";

export interface Problem {
  /** Where in the value: `training.optimizer.name`, `seeds[1]`; empty for all of it. */
  readonly path: string;
  /** What is wrong, and what would be right. */
  readonly says: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a value; nothing, where it is as the schema says. */
export function problemsOf(schema: JsonSchema, value: unknown): readonly Problem[] {
  return check(schema, value, "", schema.$defs ?? {});
}

type Definitions = Readonly<Record<string, JsonSchema>>;

function check(schema: JsonSchema, value: unknown, path: string, definitions: Definitions): readonly Problem[] {
  const { $ref, anyOf } = schema;
  if ($ref !== undefined) return check(resolve($ref, definitions), value, path, definitions);
  if (anyOf) return checkBranches(anyOf, value, path, definitions);
  const wrong = wrongValue(schema, value);
  if (wrong !== null) return [{ path, says: wrong }];
  if (Array.isArray(value)) return checkItems(schema, value, path, definitions);
  if (isObject(value)) return checkFields(schema, value, path, definitions);
  return [];
}

function resolve($ref: string, definitions: Definitions): JsonSchema {
  return definitions[$ref.replace("#/$defs/", "")]!;
}

function checkItems(schema: JsonSchema, value: readonly unknown[], path: string, definitions: Definitions): Problem[] {
  const { items = {}, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems || value.length > maxItems) {
    const count = minItems === maxItems ? String(minItems) : `at least ${minItems}`;
    return [{ path, says: `expected a list of ${count}, got ${value.length}` }];
  }
  return value.flatMap((item, index) => check(items, item, `${path}[${index}]`, definitions));
}

function checkFields(schema: JsonSchema, value: Fields, path: string, definitions: Definitions): Problem[] {
  const { properties = {}, required = [] } = schema;
  const known = Object.keys(properties);
  const strangers = Object.keys(value).filter((key) => !Object.hasOwn(properties, key));
  const missing = required.filter((key) => !Object.hasOwn(value, key));
  return [
    ...strangers.map((key) => ({ path, says: unknownKey(key, known, missing) })),
    ...missing.map((key) => ({ path, says: `the key "${key}" is missing` })),
    ...known
      .filter((key) => Object.hasOwn(value, key))
      .flatMap((key) => check(properties[key]!, value[key], join(path, key), definitions)),
  ];
}

/** A key that is missing is the likelier meant. */
function unknownKey(key: string, known: readonly string[], missing: readonly string[]): string {
  const meant = meantBy(key, missing) ?? meantBy(key, known);
  const hint = meant === undefined ? `; the keys here are ${known.join(", ")}` : `; did you mean "${meant}"?`;
  return `there is no key "${key}"${hint}`;
}

/** The nearest name; of equally near ones, that which differs in case only. */
function meantBy(name: string, candidates: readonly string[]): string | undefined {
  return candidates.find((one) => one.toLowerCase() === name.toLowerCase()) ?? closest(name, candidates);
}

/** Of branches that a value could be meant for, the one that it was meant for. */
function checkBranches(
  branches: readonly JsonSchema[],
  value: unknown,
  path: string,
  definitions: Definitions,
): readonly Problem[] {
  const all = branches.map((branch) => (branch.$ref === undefined ? branch : resolve(branch.$ref, definitions)));
  const flat = all.flatMap((branch) => branch.anyOf ?? [branch]);
  const fitting = flat.filter((branch) => hasType(branch, value));
  if (fitting.length === 0) {
    return [{ path, says: `expected ${flat.map(inWords).join(" or ")}, got ${shown(value)}` }];
  }
  const tags = [...new Set(fitting.map(tagOf))];
  if (isObject(value) && !tags.includes("")) return checkTagged(fitting, tags, value, path, definitions);
  const outcomes = fitting.map((branch) => check(branch, value, path, definitions));
  return outcomes.reduce((best, next) => (next.length < best.length ? next : best));
}

/** The key by whose value kinds of objects are told apart: `kind` or `name`; empty, if there is none. */
function tagOf({ properties = {} }: JsonSchema): string {
  return Object.keys(properties).find((key) => valuesOf(properties[key]).length > 0) ?? "";
}

/** The few values that a key may have, where it has few. */
function valuesOf({ const: constant, enum: values }: JsonSchema = {}): readonly unknown[] {
  return constant === undefined ? (values ?? []) : [constant];
}

function checkTagged(
  branches: readonly JsonSchema[],
  tags: readonly string[],
  value: Fields,
  path: string,
  definitions: Definitions,
): readonly Problem[] {
  const tag = tags.find((key) => Object.hasOwn(value, key));
  if (tag === undefined) {
    const strange = Object.keys(value).find((key) => meantBy(key, tags) !== undefined);
    const missing = `a key ${tags.map((key) => `"${key}"`).join(" or ")} is missing`;
    return [{ path, says: strange === undefined ? missing : unknownKey(strange, tags, tags) }];
  }
  const kinds = branches.filter((branch) => tagOf(branch) === tag);
  const values = kinds.map(({ properties }) => valuesOf(properties![tag]));
  const kind = kinds.find((_, index) => values[index]!.includes(value[tag]));
  if (kind) return check(kind, value, path, definitions);
  return [{ path: join(path, tag), says: notAmong(values.flat(), value[tag]) }];
}

/** What is wrong with a value by itself, whatever is in it; null, if nothing is. */
function wrongValue(schema: JsonSchema, value: unknown): string | null {
  if (schema.const !== undefined && value !== schema.const) return notAmong([schema.const], value);
  if (!hasType(schema, value)) return `expected ${inWords(schema)}, got ${shown(value)}`;
  if (schema.enum && !schema.enum.includes(value)) return notAmong(schema.enum, value);
  if (typeof value === "number" && !isWithin(schema, value)) return `expected ${inWords(schema)}, got ${value}`;
  if (typeof value === "string" && value.length < (schema.minLength ?? 0)) return "expected some text, got none";
  return null;
}

function notAmong(values: readonly unknown[], value: unknown): string {
  const names = values.filter((one): one is string => typeof one === "string");
  const meant = typeof value === "string" ? meantBy(value, names) : undefined;
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  return `expected ${values.length > 1 ? "one of " : ""}${values.map(shown).join(", ")}, got ${shown(value)}${hint}`;
}

const isType: Readonly<Record<NonNullable<JsonSchema["type"]>, (value: unknown) => boolean>> = {
  object: isObject,
  array: Array.isArray,
  integer: Number.isSafeInteger,
  number: Number.isFinite,
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  null: (value) => value === null,
};

function hasType({ type, const: constant }: JsonSchema, value: unknown): boolean {
  if (constant !== undefined) return typeof value === typeof constant;
  return type === undefined || isType[type](value);
}

function isWithin(schema: JsonSchema, value: number): boolean {
  const { minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity, exclusiveMaximum = Infinity } = schema;
  return value >= minimum && value > exclusiveMinimum && value <= maximum && value < exclusiveMaximum;
}

const NOUNS = { object: "an object", array: "a list", string: "text", boolean: "true or false", null: "null" } as const;

function inWords(schema: JsonSchema): string {
  const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
  if (schema.const !== undefined) return shown(schema.const);
  if (schema.enum) return schema.enum.map(shown).join(" or ");
  if (type !== "number" && type !== "integer") return type === undefined ? "anything" : NOUNS[type];
  const bounds = [
    minimum === undefined ? "" : `≥ ${minimum}`,
    exclusiveMinimum === undefined ? "" : `> ${exclusiveMinimum}`,
    maximum === undefined ? "" : `≤ ${maximum}`,
    exclusiveMaximum === undefined ? "" : `< ${exclusiveMaximum}`,
  ].filter((bound) => bound !== "");
  return [type === "integer" ? "a whole number" : "a number", bounds.join(" and ")].join(" ").trim();
}

/** A value as an error shows it: whole if it is short. */
function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  if (json.length <= 40) return json;
  return Array.isArray(value) ? `a list of ${value.length}` : typeof value === "object" ? "an object" : "a long text";
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
