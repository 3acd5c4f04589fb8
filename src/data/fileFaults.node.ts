/** Node's file errors in words. */
import { TramaError } from "../errors.ts";
import { FileError } from "./files.ts";

type FileAction = "read" | "write" | "list";

interface Explanation {
  readonly got: string;
  readonly advice: string;
}

const EXPLANATIONS: Readonly<Record<string, Explanation>> = {
  ENOENT: { got: "no such file", advice: "check the name" },
  ENOTDIR: { got: "a path that leads through a file", advice: "check the name" },
  EISDIR: { got: "a folder", advice: "give the name of a file" },
  EACCES: { got: "no permission", advice: "change the permissions or give another place" },
  EPERM: { got: "no permission", advice: "change the permissions or give another place" },
  EROFS: { got: "a read-only file system", advice: "give another place" },
  ENOSPC: { got: "a full disk", advice: "free some space or give another place" },
  EDQUOT: { got: "an exhausted disk quota", advice: "free some space or give another place" },
  EFBIG: { got: "more bytes than a file may have here", advice: "raise the file size limit or give another place" },
  EMFILE: { got: "too many open files", advice: "close some or raise the limit" },
  ERR_FS_FILE_TOO_LARGE: { got: "a file above 2 GiB", advice: "split it" },
};

/** Turns what Node threw into a `FileError`; errors that are explained already, and foreign ones, pass unchanged. */
export function fileFault(path: string, action: FileAction, cause: unknown): unknown {
  if (cause instanceof TramaError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const { got, advice } = EXPLANATIONS[String(cause.code)] ?? { got: cause.message, advice: "see the cause" };
  const what = action === "list" ? "folder" : "file";
  return new FileError({ where: path, expected: `to ${action} the ${what}`, got, advice }, { cause });
}
