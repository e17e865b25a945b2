import { UnavailableError } from '../../core/errors.ts';

/** The sink answers, and nothing more is sent to it for the present: what broke is not the connection. */
export class HeldBackError extends UnavailableError {}
