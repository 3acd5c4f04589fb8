/** What the tests of this folder share: an attempt that must be refused. */
import * as assert from "uvu/assert";
import { TramaError } from "../../src/errors.ts";

/** The error of an attempt, which must be one that explains itself. */
export async function refusal(attempt: () => unknown): Promise<TramaError> {
  try {
    await attempt();
  } catch (error) {
    assert.instance(error, TramaError, error instanceof Error ? (error.stack ?? "") : String(error));
    return error as TramaError;
  }
  return assert.unreachable("it was accepted") as never;
}

/** Runs an attempt that may succeed, but may fail only in words. */
export async function succeedOrRefuse(attempt: () => unknown): Promise<void> {
  try {
    await attempt();
  } catch (error) {
    assert.instance(error, TramaError, error instanceof Error ? (error.stack ?? "") : String(error));
  }
}
