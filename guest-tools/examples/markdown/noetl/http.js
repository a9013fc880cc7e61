// HTTP, through the host, to what tool.toml asks for and the tenant was granted.
//
//   const answer = get('https://api.example.com/v1', { params: { q: 'Berlin' } });
//   if (answer.ok) city = answer.json();

import { send as sendRequest } from 'noetl:tool/http@0.2.0';
import { Denied, Failed, InvalidInput, LimitReached, Timeout } from './errors.js';
import { parse, stringify } from './json.js';

const CHUNK = 1 << 16;

/** An answer. `headers` has names in small letters; several of a name are joined. */
export class Response {
  constructor(status, url, headers, body) {
    Object.assign(this, { status, url, headers, body });
  }

  /** Whether the status is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** The body as text. */
  text() {
    return new TextDecoder().decode(this.body);
  }

  /** The body read as JSON. Throws if it is none. */
  json() {
    try {
      return parse(this.text());
    } catch (error) {
      throw new Failed(`${this.url} answered no JSON: ${error.message}`, { kind: 'http' });
    }
  }
}

/** Sends a GET; the options are those of `send`. */
export const get = (url, options) => send('GET', url, options);

/** Sends a POST; the options are those of `send`. */
export const post = (url, options) => send('POST', url, options);

/**
 * Sends a request and reads the whole answer, whatever its status is.
 *
 * `params` go into the URL. `json` is sent as such, `body` (text or bytes) as it is.
 * `credential` is the alias that the host signs the request with: a step's `config.auth`.
 * `timeout` is in milliseconds. An answer to the same GET that the host has kept will do if
 * it is not older than `maxAge`, in seconds.
 */
export function send(method, url, options = {}) {
  const { params, headers = {}, json, credential, timeout, redirects = 5, maxAge } = options;
  let { body = '' } = options;
  const query = params === undefined ? '' : String(new URLSearchParams(params));
  const sent = Object.entries(headers);
  if (json !== undefined) {
    body = stringify(json);
    if (!sent.some(([name]) => name.toLowerCase() === 'content-type')) {
      sent.push(['content-type', 'application/json']);
    }
  }
  try {
    const response = sendRequest({
      method,
      url: query ? url + (url.includes('?') ? '&' : '?') + query : url,
      headers: sent,
      body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
      credential,
      timeoutMs: timeout,
      redirects,
      maxAge,
    });
    const received = {};
    for (const [name, value] of response.headers) {
      received[name] = name in received ? `${received[name]}, ${value}` : value;
    }
    return new Response(response.status, response.url, received, readAll(response.body));
  } catch (error) {
    throw asToolError(error);
  }
}

function readAll(body) {
  const chunks = [];
  for (let chunk = body.read(CHUNK); chunk.length > 0; chunk = body.read(CHUNK)) {
    chunks.push(chunk);
  }
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

function asToolError(error) {
  const { tag, val } = error.payload ?? {};
  switch (tag) {
    case undefined: return error;
    case 'denied': return new Denied(val);
    case 'invalid-request': return new InvalidInput(val);
    case 'timeout': return new Timeout(val);
    case 'limit': return new LimitReached(val);
    default: return new Failed(val, { kind: 'http' });
  }
}
