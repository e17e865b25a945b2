import about from '../../package.json' with { type: 'json' };

/** Version of the program, from its package.json. */
export const version: string = about.version;
