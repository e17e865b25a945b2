import { cef } from './cef/index.ts';
import { json } from './json/index.ts';

/** Every format there is. To add one: make its folder, then name it here. */
export const formats = [cef, json] as const;
