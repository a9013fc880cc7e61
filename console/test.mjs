// Bundles each file of test/ and runs it with Node's own test runner.

import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

const out = "node_modules/.cache/tests";
const files = readdirSync("test").filter((file) => file.endsWith(".test.ts"));
await build({
  entryPoints: files.map((file) => join("test", file)),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  outdir: out,
  outExtension: { ".js": ".mjs" },
  sourcemap: "inline",
  logLevel: "warning",
});
const built = files.map((file) => join(out, file.replace(/\.ts$/, ".mjs")));
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], {
  stdio: "inherit",
});
process.exit(status ?? 1);
