/**
 * The zip container (PKWARE's APPNOTE, 4.3 and 4.5.3), as far as PyTorch, NumPy and Keras use it: stored and deflated
 * entries, with 64-bit sizes where they are needed. The directory at the end rules; nothing is unpacked to a disk, so names are names
 * and no paths.
 */
import { gunzipChunks } from "#files";
import { FormatError } from "../../errors.ts";

export interface ZipEntry {
  readonly name: string;
  /** Size of the content. */
  readonly size: number;
  /** The content: a view of the archive if it is stored, else inflated. */
  content(): Promise<Uint8Array>;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const END_64_LOCATOR = 0x07064b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_ENTRY = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
/** What stands in a 32-bit field whose value is in the 64-bit extra field. */
const ELSEWHERE = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** A deflate stream cannot expand more than this (zlib's documentation, "Maximum Compression Factor"). */
const MAX_EXPANSION = 1032;

/** An entry of the directory. */
interface Listing {
  readonly name: string;
  readonly method: number;
  readonly checksum: number;
  readonly compressedSize: number;
  readonly size: number;
  readonly header: number;
}

/**
 * Reads an archive's directory. @param file what errors call it.
 * @throws {FormatError} when it is cut off, encrypted, compressed otherwise, spread over files, or contradicts itself.
 */
export function readZip(bytes: Uint8Array, file: string): ReadonlyMap<string, ZipEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fault = faultsOf(file);
  const entries = new Map<string, ZipEntry>();
  const claimed: { begin: number; end: number }[] = [];
  for (const listing of listings(view, fault)) {
    const { name, size, compressedSize } = listing;
    if (entries.has(name)) throw fault("names that differ", `"${name}" twice`);
    const begin = contentStart(view, listing, fault);
    const packed = bytes.subarray(begin, begin + compressedSize);
    if (packed.length < compressedSize) throw fault(`${compressedSize} bytes of "${name}"`, `${packed.length}`);
    claimed.push({ begin: listing.header, end: begin + compressedSize });
    requireReadable(listing, fault);
    const content = async (): Promise<Uint8Array> =>
      listing.method === STORED ? packed : inflate(packed, listing, fault);
    entries.set(name, { name, size, content });
  }
  // Entries that share bytes can be a small file that unpacks to an enormous one.
  claimed.sort((a, b) => a.begin - b.begin);
  if (claimed.some(({ begin }, index) => index > 0 && begin < claimed[index - 1]!.end)) {
    throw fault("entries with bytes of their own", "entries that overlap");
  }
  return entries;
}

type Fault = (expected: string, got: string, cause?: unknown) => FormatError;

function faultsOf(file: string): Fault {
  const advice = "the file is damaged or cut off: get it again";
  return (expected, got, cause) => new FormatError({ where: `${file} (zip)`, expected, got, advice }, { cause });
}

function* listings(view: DataView, fault: Fault): Generator<Listing> {
  const { count, offset } = directory(view, fault);
  let place = offset;
  for (let index = 0; index < count; index++) {
    requireRecord(view, place, 46, DIRECTORY_ENTRY, "a directory entry", fault);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => view.getUint16(place + field, true));
    const end = place + 46 + nameBytes! + extraBytes! + commentBytes!;
    if (end > view.byteLength) throw fault("a directory", "one that is cut off");
    if ((view.getUint16(place + 8, true) & ENCRYPTED) !== 0) throw fault("an open archive", "an encrypted one");
    const extra = place + 46 + nameBytes!;
    const wide = wideSizes(view, extra, extra + extraBytes!);
    const sized = (field: number): number => {
      const value = view.getUint32(place + field, true);
      return value === ELSEWHERE ? (wide.shift() ?? value) : value;
    };
    // In this order: the 64-bit field lists only those of the three that need it.
    const [size, compressedSize, header] = [sized(24), sized(20), sized(42)] as const;
    const name = new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + place + 46, nameBytes));
    const method = view.getUint16(place + 10, true);
    yield { name, method, checksum: view.getUint32(place + 16, true), compressedSize, size, header };
    place = end;
  }
}

/** Where the directory is: the archive ends with a record that says so, and a comment. */
function directory(view: DataView, fault: Fault): { readonly count: number; readonly offset: number } {
  const first = Math.max(0, view.byteLength - END_BYTES - MAX_COMMENT_BYTES);
  for (let end = view.byteLength - END_BYTES; end >= first; end--) {
    if (view.getUint32(end, true) !== END) continue;
    if (end + END_BYTES + view.getUint16(end + 20, true) !== view.byteLength) continue;
    const [count, offset] = [view.getUint16(end + 10, true), view.getUint32(end + 16, true)];
    if (count !== 0xffff && offset !== ELSEWHERE) return { count, offset };
    requireRecord(view, end - 20, 20, END_64_LOCATOR, "a 64-bit locator", fault);
    const place = wideNumber(view, end - 12);
    requireRecord(view, place, 56, END_64, "a 64-bit end record", fault);
    return { count: wideNumber(view, place + 32), offset: wideNumber(view, place + 48) };
  }
  throw fault("an archive with a directory at its end", "none");
}

function requireRecord(view: DataView, place: number, size: number, mark: number, what: string, fault: Fault): void {
  const fits = place >= 0 && place + size <= view.byteLength;
  if (!fits || view.getUint32(place, true) !== mark) throw fault(`${what} at byte ${place}`, "something else");
}

/** The 64-bit numbers of an entry's extra fields; those that are too large for JavaScript fit into no file either. */
function wideSizes(view: DataView, begin: number, end: number): number[] {
  for (let place = begin; place + 4 <= end;) {
    const [id, size] = [view.getUint16(place, true), view.getUint16(place + 2, true)];
    const count = Math.floor(Math.min(size, end - place - 4) / 8);
    if (id === 1) return Array.from({ length: count }, (_, index) => wideNumber(view, place + 4 + 8 * index));
    place += 4 + size;
  }
  return [];
}

function wideNumber(view: DataView, place: number): number {
  return Number(view.getBigUint64(place, true));
}

/** The content begins behind the local header, whose name and extra field have lengths of their own. */
function contentStart(view: DataView, { name, header }: Listing, fault: Fault): number {
  requireRecord(view, header, 30, LOCAL_ENTRY, `the header of "${name}"`, fault);
  return header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
}

function requireReadable({ name, method, size, compressedSize }: Listing, fault: Fault): void {
  if (method !== STORED && method !== DEFLATED) {
    throw fault(`"${name}" stored or deflated`, `compression method ${method}`);
  }
  if (method === STORED && size !== compressedSize) {
    throw fault(`${size} bytes of "${name}"`, `${compressedSize}, though it is not compressed`);
  }
  if (size > compressedSize * MAX_EXPANSION + MAX_EXPANSION) {
    throw fault(`"${name}" to be a deflate stream`, `${size} bytes from ${compressedSize}, which none can give`);
  }
}

/**
 * Platforms unpack gzip, not bare deflate. A gzip file is deflate with ten bytes before it and checksum and size behind it,
 * and the directory knows both; so the platform checks them, too.
 */
async function inflate(packed: Uint8Array, { name, size, checksum }: Listing, fault: Fault): Promise<Uint8Array> {
  const gzip = new Uint8Array(packed.length + 18);
  gzip.set([0x1f, 0x8b, 8]);
  gzip.set(packed, 10);
  const trailer = new DataView(gzip.buffer, packed.length + 10);
  trailer.setUint32(0, checksum, true);
  trailer.setUint32(4, size % 2 ** 32, true);
  const content = new Uint8Array(size);
  let length = 0;
  try {
    for await (const chunk of gunzipChunks(gzip)) {
      if (length + chunk.length > size) break;
      content.set(chunk, length);
      length += chunk.length;
    }
  } catch (cause) {
    throw fault(`"${name}" to be a deflate stream with the checksum of the directory`, String(cause), cause);
  }
  if (length !== size) throw fault(`${size} bytes of "${name}"`, `another number`);
  return content;
}
