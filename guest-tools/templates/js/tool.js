// The tool {{name}}: greets somebody.

import { InvalidInput, log, tool } from './noetl/index.js';

export const run = tool((args, config) => {
  const name = args.name.trim();
  if (!name) throw new InvalidInput('`name` is empty: who shall be greeted?');
  log(`greeting ${name}`);
  return { text: `${config.greeting ?? 'Hello'}, ${name}!` };
});
