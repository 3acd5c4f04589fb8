/** Where output goes: text for people or one JSON object a line for programs, never both on stdout. */

export interface OutputOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

type Fields = Readonly<Record<string, unknown>>;

/** Text that does not fit is wrapped here, even on wider terminals: longer lines are hard to read. */
const WIDEST = 100;
const NARROWEST = 40;

export class Terminal {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly #colours: boolean;

  constructor({ json = false, quiet = false, verbose = false }: OutputOptions) {
    this.json = json;
    this.quiet = quiet;
    this.verbose = verbose;
    this.#colours = wantsColours(process.stdout);
  }

  /** Columns that text may take. */
  get width(): number {
    // A terminal that does not know its size says 0.
    const { columns } = process.stdout as { columns?: number };
    return columns !== undefined && columns > 0 ? Math.max(NARROWEST, Math.min(WIDEST, columns)) : WIDEST;
  }

  /** Whether lines of progress are shown. */
  get showsProgress(): boolean {
    return !this.json && !this.quiet;
  }

  /** A line for people who want to know more than the result. */
  say(...lines: readonly string[]): void {
    if (!this.quiet) this.result(...lines);
  }

  /** A line that is the command's result: `--quiet` leaves it. */
  result(...lines: readonly string[]): void {
    if (!this.json) process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  }

  /** What only `--verbose` shows. */
  detail(...lines: readonly string[]): void {
    if (this.verbose) this.say(...lines);
  }

  /** What the user has to know, whatever the options: on stderr, and as an event. */
  notice(message: string): void {
    process.stderr.write(`${message}\n`);
    this.event("notice", { message });
  }

  /** A line for programs. */
  event(event: string, fields: Fields): void {
    if (this.json) process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
  }

  bold(text: string): string {
    return this.#paint("1", text);
  }

  dim(text: string): string {
    return this.#paint("2", text);
  }

  good(text: string): string {
    return this.#paint("32", text);
  }

  warning(text: string): string {
    return this.#paint("1;33", text);
  }

  #paint(code: string, text: string): string {
    return this.#colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

/** See https://no-color.org and https://force-color.org. */
function wantsColours(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR: never, FORCE_COLOR: always, TERM: kind } = process.env;
  if (never !== undefined && never !== "") return false;
  if (always !== undefined && always !== "" && always !== "0") return true;
  return stream.isTTY && kind !== "dumb";
}

/** A reader that has seen enough (`trama doctor | head`) closes the pipe; that is no fault of ours. */
export function tolerateClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
