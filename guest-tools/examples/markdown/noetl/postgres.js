// PostgreSQL, through connections that the host keeps.
//
//   const db = open(config.auth);
//   const rows = db.query('SELECT id, name FROM users WHERE city = $1', args.city);
//   db.transaction((tx) => tx.query('INSERT INTO seen (id) VALUES ($1)', rows[0].id));

import { Connection as Resource } from 'noetl:tool/postgres@0.2.0';
import { Denied, Failed, InvalidInput, LimitReached, Timeout } from './errors.js';
import { parse, stringify } from './json.js';

/** PostgreSQL refused a statement. `code` is the SQLSTATE. */
export class DatabaseError extends Failed {
  constructor({ code, message, ...details }) {
    super(message, { kind: 'postgres', code, details });
  }
}

/** Takes a connection of the credential with this alias: a step's `config.auth`. */
export function open(credential) {
  return new Connection(attempt(() => Resource.open(credential)));
}

class Querying {
  #resource;

  constructor(resource) {
    this.#resource = resource;
  }

  /**
   * Runs one statement; `$1` is the first of `params`. Texts and dates are of the type that
   * the statement needs; arrays and objects become arrays or JSON. The rows are objects;
   * an int8 that a number can't hold is a BigInt, numeric a text, json what it holds, bytea
   * a Uint8Array, dates, times and UUIDs texts. The array also has `affected` and `columns`.
   */
  query(statement, ...params) {
    const found = attempt(() => this.#resource.query(statement, params.map(parameter)));
    const names = found.columns.map((column) => column.name);
    const rows = found.rows.map((row) =>
      Object.fromEntries(row.map((item, index) => [names[index], value(item)])));
    return Object.assign(rows, { columns: found.columns, affected: Number(found.affected) });
  }
}

class Connection extends Querying {
  #resource;

  constructor(resource) {
    super(resource);
    this.#resource = resource;
  }

  /** Runs `work` in a transaction, which is committed after it, or rolled back if it throws. */
  transaction(work) {
    const resource = attempt(() => this.#resource.begin());
    let result;
    try {
      result = work(new Querying(resource));
    } catch (error) {
      attempt(() => resource.rollback());
      throw error;
    }
    attempt(() => resource.commit());
    return result;
  }
}

const INT64 = 1n << 63n;

function parameter(item) {
  switch (typeof item) {
    case 'undefined': return { tag: 'null' };
    case 'boolean': return { tag: 'boolean', val: item };
    case 'bigint': return item >= -INT64 && item < INT64
      ? { tag: 'int64', val: item }
      : { tag: 'numeric', val: item.toString() };
    case 'number': return Number.isSafeInteger(item)
      ? { tag: 'int64', val: BigInt(item) }
      : { tag: 'float64', val: item };
    case 'object': break;
    default: return { tag: 'literal', val: String(item) };
  }
  if (item === null) return { tag: 'null' };
  if (item instanceof Uint8Array) return { tag: 'binary', val: item };
  if (item instanceof Date) return { tag: 'literal', val: item.toISOString() };
  return { tag: 'document', val: stringify(item) };
}

function value({ tag, val }) {
  switch (tag) {
    case 'null': return null;
    case 'int64': return Number.isSafeInteger(Number(val)) ? Number(val) : val;
    case 'json':
    case 'array': return parse(val);
    default: return val;
  }
}

function attempt(call) {
  try {
    return call();
  } catch (error) {
    throw asToolError(error);
  }
}

function asToolError(error) {
  const { tag, val } = error.payload ?? {};
  switch (tag) {
    case undefined: return error;
    case 'query-failed': return new DatabaseError(val);
    case 'access-denied': return new Denied(val);
    case 'bad-parameter': return new InvalidInput(val);
    case 'timeout': return new Timeout(val);
    case 'limit': return new LimitReached(val);
    default: return new Failed(val, { kind: 'postgres' });
  }
}
