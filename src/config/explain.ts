import type { z } from 'zod';
import { didYouMean } from './nearest.ts';
import { listed } from './problem.ts';

type Issue = z.core.$ZodIssue;

/** Our words for zod's own checks; a message that a schema gives itself goes before them. */
export function words(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${listed(issue.values.map(String))}`;
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      return `must be at least ${issue.minimum}`;
    case 'too_big':
      if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
      return `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return `expected ${formats[issue.format] ?? `a text that matches ${issue.pattern}`}`;
    default:
      return undefined;
  }
}

const kinds: Readonly<Record<string, string>> = {
  object: 'settings of the form "name: value"',
  array: 'a list ("- " before each entry)',
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
};

const formats: Readonly<Record<string, string>> = {
  datetime: 'a time such as "2026-05-31T08:00:00Z"',
};

/** What a finished issue says; of a union, what each of its forms would have wanted. */
export function messageOf(issue: Issue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const messages = issue.errors.flatMap((errors) => errors.map(messageOf));
  const [first, ...others] = new Set(messages);
  return [first, ...others.map((other) => other.replace(/^expected /, ''))].join(', or ');
}

/** The allowed value that was probably meant. */
export function hintOf(issue: Issue, text: string): string | undefined {
  return issue.code === 'invalid_value' ? didYouMean(text, issue.values.map(String)) : undefined;
}
