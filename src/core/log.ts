/** What a part of the relay may say. Normal work is counted, not logged; see `observe/logger.ts`. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
