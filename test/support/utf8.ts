/** Texts as events are sent. */
export const utf8 = (...texts: readonly string[]): Buffer[] => texts.map((text) => Buffer.from(text));
