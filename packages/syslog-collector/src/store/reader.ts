import { fileLines } from "./lines.ts";
import { RecordMatcher, type RecordFilter } from "./filter.ts";
import { parseRecord, type LogRecord } from "./record.ts";
import { listSegments, openPath, sealedPath, sidecarPath, type SegmentFiles } from "./segment.ts";
import { readSidecar } from "./summary.ts";

export interface ReadOptions extends RecordFilter {
  /** The store's folder. */
  readonly path: string;
  /** Called for a segment that could not be read to its end; reading goes on with the next. */
  readonly onDamaged?: (file: string, failure: Error) => void;
}

/**
 * Records in the order of their sequence numbers, from sealed segments and the active one, as far as it is written.
 * May run in any process, beside the collector. Sealed segments that cannot match are not opened.
 */
export async function* readRecords(options: ReadOptions): AsyncGenerator<LogRecord, void> {
  const matcher = new RecordMatcher(options);
  for (const segment of await listSegments(options.path)) {
    if (segment.open || segment.sealed) yield* readSegment(options, segment, matcher);
  }
}

/** Records of one segment that match, from `after` (exclusive) on. */
export async function* readSegment(
  options: ReadOptions,
  segment: SegmentFiles,
  matcher: RecordMatcher,
  after = -1,
): AsyncGenerator<LogRecord, void> {
  let last = after;
  for (const path of await candidates(options.path, segment, matcher)) {
    try {
      for await (const line of fileLines(path)) {
        if (!matcher.mayMatch(line)) continue;
        const record = parseRecord(line.toString("utf8"));
        if (record === undefined || record.seq <= last || !matcher.matches(record)) continue;
        last = record.seq;
        yield record;
      }
      return;
    } catch (failure) {
      if ((failure as NodeJS.ErrnoException).code !== "ENOENT") {
        options.onDamaged?.(path, failure as Error);
        return;
      }
    }
  }
}

/** Where a segment may be found: it may be sealed, and its plain file removed, between the listing and the reading. */
async function candidates(store: string, segment: SegmentFiles, matcher: RecordMatcher): Promise<string[]> {
  const { first } = segment;
  const sidecar = segment.sidecar ? await readSidecar(sidecarPath(store, first)) : undefined;
  if (sidecar !== undefined && !matcher.mayContain(sidecar)) return [];
  const [plain, sealed] = [openPath(store, first), sealedPath(store, first)];
  return segment.open ? [plain, sealed] : [sealed];
}
