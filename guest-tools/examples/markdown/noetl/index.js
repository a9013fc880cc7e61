// What a noetl tool in JavaScript is written with.
//
//   export const run = tool((args, config) => ({ text: 'Hello' }));
//
// The function gets the step's `args` and `config` as objects, and the whole call as its
// third argument: `executionId`, `step`, `tenant`. It may be async. What it returns is the
// step's `result.data`. It fails by throwing one of the errors below; any other error fails
// the step too, under the name of its class. `console.log` goes nowhere: `log` writes to
// the step's log. An integer that a number can't hold is a BigInt, in what comes and in what
// is returned.
//
// ./http.js and ./postgres.js reach out, if tool.toml asks for that below [capabilities].

import { write } from 'noetl:tool/log@0.2.0';
import { Failed, ToolError } from './errors.js';
import { parse, stringify } from './json.js';

export * from './errors.js';
export { parse, stringify };

/** Makes a function the tool: what it returns is exported as `run`. */
export function tool(answer) {
  return async (invocation) => {
    try {
      const args = parse(invocation.args);
      const config = parse(invocation.config);
      return { data: stringify(await answer(args, config, invocation)) };
    } catch (error) {
      throw (error instanceof ToolError ? error : unforeseen(error)).toWit();
    }
  };
}

/** Writes to the step's log. @param {'debug' | 'info' | 'warn' | 'error'} level */
export function log(message, level = 'info') {
  write(level, String(message));
}

function unforeseen(error) {
  if (!(error instanceof Error)) return new Failed(String(error));
  const traceback = (error.stack ?? '').trim().split('\n').slice(0, 10);
  return new Failed(error.message, { kind: error.name, details: { traceback } });
}
