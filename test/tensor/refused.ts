/** The message with which an asynchronous call is refused; a call that succeeds fails the test. */
export async function refusal(call: Promise<unknown>): Promise<string> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => String(error),
  );
  if (outcome === null) throw new Error("expected a refusal, but it succeeded");
  return outcome;
}
