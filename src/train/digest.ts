/** Hashes of what files hold, and of what they were made from. */
import type { StoredTensor } from "../weights/index.ts";

/** SHA-256 as hexadecimal digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Over a text and every tensor, in order, names and shapes included. */
export async function digestOf(
  text: string,
  tensors: readonly Pick<StoredTensor, "name" | "shape" | "bytes">[],
): Promise<string> {
  const digests: string[] = [];
  for (const { name, shape, bytes } of tensors) digests.push(name, shape.join(), await sha256(bytes));
  return sha256(new TextEncoder().encode(JSON.stringify([text, digests])));
}
