import { z } from 'zod';
import { configSchema } from '../src/config/schema.ts';
import { type JsonSchema, type Section, type Setting, sectionsOf } from './settings.ts';

/** Where the page stands, from the root of the repository. */
export const PAGE = 'docs/configuration.md';

/** The reference page of all settings, in Markdown. */
export function configurationPage(): string {
  const config = z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema;
  return [head, ...sectionsOf(config).flatMap((section) => render(section, 2))].join('\n\n').concat('\n');
}

const head = `<!-- Made by "npm run docs" from the schemas in src; changes here are overwritten. -->

# Settings

One YAML file: \`--config FILE\`, else \`config/relay.yaml\`, else \`/etc/defender-relay/relay.yaml\`. \`defender-relay validate\`
checks it without a network; [the shortest one that works](../config/relay.minimal.yaml).

- A **duration** is written \`500ms\`, \`30s\`, \`10m\`, \`24h\` or \`7d\`; a **size** \`512KiB\`, \`16MiB\` or \`2GiB\`.
- \`\${env:NAME}\` and \`\${file:PATH}\` stand for an environment variable and for what is in a file, within any text.
  A **secret** is one of the two and nothing else.
- A relative **path** begins at the folder of the config file.
- A key that is not known is an error.`;

function render({ title, meaning, settings, sections }: Section, level: number): string[] {
  return [
    `${'#'.repeat(level)} \`${title}\``,
    ...(meaning === '' ? [] : [meaning]),
    ...(settings.length > 0 ? [table(settings)] : []),
    ...(settings.length + sections.length > 0 ? [] : ['It has no settings of its own.']),
    ...sections.flatMap((section) => render(section, level + 1)),
  ];
}

function table(settings: readonly Setting[]): string {
  const rows = settings.map((setting) => [
    `\`${setting.path}\``,
    setting.type,
    standard(setting),
    setting.meaning,
  ]);
  return [['Setting', 'Type', 'Default', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

function standard({ required, default: value }: Setting): string {
  if (required === true) return '**required**';
  if (typeof required === 'string') return `required in \`${required}\``;
  if (value === undefined) return '';
  if (typeof value !== 'object' || value === null) return `\`${value}\``;
  const items = Object.entries(value).map(([key, item]) => `${key}: ${item}`);
  return items.length > 0 ? `\`${items.join(', ')}\`` : '';
}
