/**
 * Names that differ by containers only. Where a file says `conv1/kernel`, a model may have the layer inside a branch of a
 * block: `base/add/sequential/conv1/kernel`. If no other layer could be meant, that one is.
 */

/** Parameters by the names of a file that lead to one parameter and no other. */
export function matchNested(parameters: readonly string[], names: readonly string[]): ReadonlyMap<string, string> {
  const byEnd = new Map<string, string[]>();
  for (const parameter of parameters) {
    const end = endOf(parameter);
    byEnd.set(end, [...(byEnd.get(end) ?? []), parameter]);
  }
  const found = new Map<string, string>();
  const taken = new Map<string, number>();
  for (const name of names) {
    const candidates = (byEnd.get(endOf(name)) ?? []).filter((parameter) => isWithin(name, parameter));
    for (const candidate of candidates) taken.set(candidate, (taken.get(candidate) ?? 0) + 1);
    if (candidates.length === 1) found.set(name, candidates[0]!);
  }
  return new Map([...found].filter(([, parameter]) => taken.get(parameter) === 1));
}

/** The layer and its part: `conv1/kernel`. */
function endOf(name: string): string {
  return name.split("/").slice(-2).join("/");
}

/** Whether all parts of a name occur in a path, in order. */
function isWithin(name: string, path: string): boolean {
  const parts = name.split("/");
  let next = 0;
  for (const part of path.split("/")) if (part === parts[next]) next += 1;
  return next === parts.length;
}
