/** A host as it stands before `:PORT` and in a URL: an IPv6 address in brackets (RFC 3986, section 3.2.2). */
export const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);
