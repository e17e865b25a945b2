import {
  type Document,
  isAlias,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  Scalar,
  visit,
} from 'yaml';
import { type Finding, isName, type Path, type Position } from './problem.ts';

/**
 * A value of the file and where it stands. All scalars are text: what a text means (number, true) is up to the
 * setting, so an id of digits only, or with an `e` in it, cannot turn into a number on the way.
 */
export type Node = { readonly at: Position } & (
  | { readonly kind: 'empty' }
  /** Of a form that is not supported; a finding says so. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly Node[] }
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Entry> }
);
export interface Entry {
  readonly keyAt: Position;
  readonly value: Node;
}

/** A config nests seven deep at most. */
const MAX_DEPTH = 50;
/** Further syntax errors mostly follow from the first ones. */
const MAX_SYNTAX_ERRORS = 20;

/** The tree of a YAML text, and what is wrong with its form. With an error of syntax there is no tree. */
export function parseYaml(text: string): { root: Node | undefined; findings: readonly Finding[] } {
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  // prettyErrors would quote lines of the file, and with them secrets. uniqueKeys is quadratic; see below.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    schema: 'failsafe',
    logLevel: 'error', // 'silent' would take the first of several documents without a word
  });
  const errors = [...document.errors, ...document.warnings];
  if (errors.length > 0) {
    return {
      root: undefined,
      findings: syntaxFindings(errors.slice(0, MAX_SYNTAX_ERRORS), position, openingsOf(document)),
    };
  }

  const findings: Finding[] = [];
  const complain = (path: Path, at: Position, message: string, hint?: string) =>
    findings.push({ path, at, message, hint });

  const convert = (node: ParsedNode | null, path: Path, parentAt: Position): Node => {
    if (node === null) return { kind: 'empty', at: parentAt };
    const at = position(node.range[0]);
    const refuse = (message: string, hint?: string): Node => {
      complain(path, at, message, hint);
      return { kind: 'refused', at };
    };
    if (path.length > MAX_DEPTH) return refuse('nested too deep');
    // One value in one place: a problem has one position, and no alias can multiply what is read.
    if (isAlias(node)) return refuse('aliases (*name) are not supported', 'write the value here');
    if (node.tag !== undefined) return refuse('tags (!name) are not supported', 'leave the tag out');
    if (isScalar(node)) {
      const value = String(node.value);
      const empty = node.type === Scalar.PLAIN && ['', '~', 'null'].includes(value);
      return empty ? { kind: 'empty', at } : { kind: 'text', at, text: value };
    }
    if (isSeq(node)) {
      const items = node.items.map((item, index) => convert(item, [...path, index], at));
      return { kind: 'list', at, items };
    }
    const entries = new Map<string, Entry>();
    for (const { key, value } of node.items) {
      const keyAt = key === null ? at : position(key.range[0]);
      if (!isScalar(key) || key.value === '' || key.tag !== undefined) {
        complain(path, keyAt, 'expected the name of a setting in front of ":"');
        continue;
      }
      const name = String(key.value);
      const keyPath = [...path, name];
      const earlier = entries.get(name);
      if (name === '<<') {
        complain(path, keyAt, 'merge keys (<<) are not supported', 'write the settings here');
      } else if (earlier) {
        const what = isName(name) ? JSON.stringify(name) : 'this key';
        complain(
          keyPath,
          keyAt,
          `${what} stands here twice, first in line ${earlier.keyAt.line}`,
          'keep one',
        );
      } else {
        entries.set(name, { keyAt, value: convert(value, keyPath, keyAt) });
      }
    }
    return { kind: 'map', at, entries };
  };

  const root = convert(document.contents, [], { line: 1, column: 1 });
  return { root, findings };
}

/** Where texts, and where lists and maps in brackets, begin. */
interface Openings {
  readonly texts: readonly number[];
  readonly brackets: readonly number[];
}

function openingsOf(document: Document.Parsed): Openings {
  const texts: number[] = [];
  const brackets: number[] = [];
  visit(document, {
    Scalar: (_, { range }) => {
      if (range) texts.push(range[0]);
    },
    Collection: (_, { range, flow }) => {
      if (range && flow) brackets.push(range[0]);
    },
  });
  return { texts, brackets };
}

/**
 * The parser's errors in our words; its own may quote the file. It has one code for several things, so its text is
 * looked at too: should that change, what is said becomes less exact, not wrong.
 */
function syntaxFindings(
  errors: readonly { code: string; message: string; pos: readonly [number, number] }[],
  position: (offset: number) => Position,
  { texts, brackets }: Openings,
): Finding[] {
  const findings: Finding[] = [];
  for (const { code, message, pos } of errors) {
    const [offset] = pos;
    // What is not closed is noticed lines later; what is wrong is where it begins.
    const openings = message.startsWith('Missing closing')
      ? texts
      : message.startsWith('Flow')
        ? brackets
        : [];
    const at = position(openings.findLast((opening) => opening <= offset) ?? offset);
    const codes = errors.filter((error) => error.pos[0] === offset).map((error) => error.code);
    // An error in the same line as another one, or in the next, mostly follows from it.
    const follows = findings.some((finding) => Math.abs(finding.at.line - at.line) <= 1);
    if (!follows) findings.push({ path: [], at, ...words(code, codes, message) });
  }
  return findings;
}

function words(
  code: string,
  codesHere: readonly string[],
  message: string,
): { message: string; hint?: string } {
  const indent = {
    message: 'wrong indentation',
    hint: 'settings that belong together start in the same column, two spaces further in than their heading',
  };
  const colon = {
    message: 'expected the name of a setting, a colon and a space',
    hint: 'write it as "name: value"',
  };
  const bracket = { message: 'a { or [ is not closed', hint: 'close it, or indent what belongs to it' };
  switch (code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab in the indentation', hint: 'indent with spaces' };
    case 'BAD_INDENT':
      return message.startsWith('Flow') ? bracket : indent;
    case 'BLOCK_AS_IMPLICIT_KEY':
      if (codesHere.includes('MULTILINE_IMPLICIT_KEY'))
        return {
          message: 'the line after this one is indented too far',
          hint: 'give both the same indentation',
        };
      return { message: 'two colons in one line', hint: 'put a value that has ": " in it in quotes' };
    case 'MULTILINE_IMPLICIT_KEY':
      return colon;
    case 'MISSING_CHAR':
      if (message.startsWith('Missing closing'))
        return { message: 'a quote is not closed', hint: 'put the same quote at the end of the text' };
      if (message.startsWith('Sequence item')) return indent;
      if (message.startsWith('Flow')) return bracket;
      return message.startsWith('Implicit') ? colon : { message: 'something is missing here (YAML syntax)' };
    case 'MULTIPLE_DOCS':
      return { message: 'a second document begins here ("---")', hint: 'a config is one document' };
    case 'BAD_SCALAR_START':
      return { message: 'a value cannot begin with @ or `', hint: 'put it in quotes' };
    case 'BAD_DQ_ESCAPE':
      return {
        message: 'a backslash in "double quotes" that means nothing',
        hint: "use 'single quotes', where a backslash is plain",
      };
    case 'BAD_ALIAS':
      return { message: 'a value cannot begin with *', hint: 'put it in quotes' };
    case 'TAG_RESOLVE_FAILED':
      return {
        message: 'tags (!name) are not supported',
        hint: 'leave the tag out, or put a value that begins with ! in quotes',
      };
    default:
      return { message: 'this is not valid YAML', hint: 'look at this line and the one before it' };
  }
}
