// Why a tool has no result.

import { stringify } from './json.js';

/** Any of the errors below. */
export class ToolError extends Error {
  /** The error as `noetl:tool/types` has it. */
  toWit() {
    return { tag: this.constructor.tag, val: this.message };
  }
}

/** `args` or `config` are not what the tool needs. */
export class InvalidInput extends ToolError {
  static tag = 'invalid-input';
}

/** The step was not granted what the tool asked for. */
export class Denied extends ToolError {
  static tag = 'denied';
}

/** Something outside took longer than it may. */
export class Timeout extends ToolError {
  static tag = 'timeout';
}

/** A limit of the step was reached. */
export class LimitReached extends ToolError {
  static tag = 'limit';
}

/**
 * The work itself failed. `kind` says what, for programs; `code` is one of a standard,
 * such as an SQLSTATE; `details` is an object with more.
 */
export class Failed extends ToolError {
  static tag = 'failed';

  constructor(message, { kind = 'failed', code, details } = {}) {
    super(message);
    Object.assign(this, { kind, code, details });
  }

  toWit() {
    const { kind, message, code, details } = this;
    const json = details === undefined ? undefined : stringify(details);
    return { tag: Failed.tag, val: { kind, message, code, details: json } };
  }
}
