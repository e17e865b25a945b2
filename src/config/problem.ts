import { UsageError } from '../core/errors.ts';

/** A place in the config file; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** From the top of the config to a setting. */
export type Path = readonly (string | number)[];

/** Something wrong in the tree of the config, before anybody knows the name of the file. */
export interface Finding {
  readonly path: Path;
  readonly at: Position;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Something wrong in a config file, for people and for `--json`. */
export interface Problem {
  readonly file: string;
  /** Absent when it is about the file as a whole. */
  readonly line?: number;
  readonly column?: number;
  /** `sinks[0].port`; empty when it is not about one setting. */
  readonly path: string;
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A config that cannot be used; the message lists every problem, one line each. Has no secret in it. */
export class ConfigError extends UsageError {
  override name = 'ConfigError';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemLine).join('\n'));
    this.problems = problems;
  }
}

export function problemOf(file: string, { path, at, message, hint }: Finding): Problem {
  return { file, ...at, path: pathText(path), message, ...(hint !== undefined && { hint }) };
}

/** `config/relay.yaml:12:5 sinks[0].prot: unknown key "prot"; did you mean "port"?` */
export function problemLine(problem: Problem): string {
  const { file, line, column, path } = problem;
  const place = line === undefined ? `${file}:` : `${file}:${line}:${column}`;
  return `${place} ${path === '' ? '' : `${path}: `}${problemText(problem)}`;
}

/** What is wrong and what to do. */
export function problemText({ message, hint }: Problem): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

function pathText(path: Path): string {
  return path
    .map((key, depth) => {
      if (typeof key === 'number') return `[${key}]`;
      return `${depth === 0 ? '' : '.'}${isName(key) ? key : '?'}`;
    })
    .join('');
}

/**
 * Whether a key looks like the name of a setting. Another one is not repeated in messages: where the space after a
 * colon was forgotten (`{clientSecret:abc}`) the value is part of the key.
 */
export function isName(key: string): boolean {
  return /^[A-Za-z][\w-]{0,39}$/.test(key);
}

/** `a, b or c` */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join();
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
