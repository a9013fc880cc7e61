// Makes a component of tool.js: node build.mjs FILE, as `noetl tool build` calls it.

import { writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';
import { build } from 'esbuild';

const [file = 'build/component.wasm'] = process.argv.slice(2);

// One file of all that tool.js imports, npm packages too.
await build({
  entryPoints: ['tool.js'],
  outfile: 'build/tool.js',
  bundle: true,
  format: 'esm',
  target: 'es2023',
  external: ['noetl:*'],
  logLevel: 'warning',
});
const { component } = await componentize({
  sourcePath: 'build/tool.js',
  witPath: 'build/wit',
  worldName: 'tool',
  // A tool speaks HTTP through noetl/http.js.
  disableFeatures: ['http', 'fetch-event'],
});
await writeFile(file, component);
