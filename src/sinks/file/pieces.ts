/** Joins records to pieces of at most `maxBytes`; one that is larger by itself is a piece of its own. */
export function inPieces(records: readonly Buffer[], maxBytes = Number.POSITIVE_INFINITY): Buffer[] {
  const pieces: Buffer[][] = [];
  let room = 0;
  for (const record of records) {
    const piece = pieces.at(-1);
    if (piece && record.length <= room) piece.push(record);
    else {
      pieces.push([record]);
      room = maxBytes;
    }
    room -= record.length;
  }
  return pieces.map((piece) => Buffer.concat(piece));
}

/** How many of the records, from the first on, `written` begins with. */
export function countWritten(records: readonly Buffer[], written: Buffer): number {
  let end = 0;
  const first = records.findIndex((record) => {
    const start = end;
    end += record.length;
    return !written.subarray(start, end).equals(record);
  });
  return first < 0 ? records.length : first;
}
