import { cef } from './cef/index.ts';

/** Every format there is. To add one: make its folder, then name it here. */
export const formats = [cef] as const;
