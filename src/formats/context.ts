/** What a format is given besides its settings. */
export interface FormatContext {
  /** Version of the program, for formats that name their producer. */
  readonly version: string;
}
