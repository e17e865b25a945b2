import { eventHubs } from './event-hubs/index.ts';
import { file } from './file/index.ts';
import { http } from './http/index.ts';
import { stdout } from './stdout/index.ts';
import { syslog } from './syslog/index.ts';

/** Every sink there is. To add one: make its folder, then name it here. */
export const sinks = [syslog, http, file, stdout, eventHubs] as const;
