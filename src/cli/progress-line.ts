/** One line of a terminal that is written again and again. */
export function progressLine(stream: NodeJS.WritableStream) {
  const CLEAR = '\r\u001b[K';
  return {
    show: (text: string) => stream.write(`${CLEAR}${text}`),
    clear: () => stream.write(CLEAR),
  };
}
