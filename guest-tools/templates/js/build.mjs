// Makes a component of tool.js: node build.mjs FILE, as `noetl tool build` calls it.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

const [file = 'build/component.wasm'] = process.argv.slice(2);
const { component } = await componentize({
  sourcePath: 'tool.js',
  witPath: 'build/wit',
  worldName: 'tool',
  // A tool speaks HTTP through noetl/http.js.
  disableFeatures: ['http', 'fetch-event'],
});
await mkdir(dirname(file), { recursive: true });
await writeFile(file, component);
