// Bundles the console into the folder CONSOLE_OUT: index.html, and beside it
// files whose names hold a hash of their content, so that they can be cached
// for ever.

import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

const out = process.env.CONSOLE_OUT ?? "dist";
const common = {
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: out,
  entryNames: "[name]-[hash]",
  loader: { ".svg": "copy" },
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
};

await mkdir(out, { recursive: true });
for (const file of await readdir(out)) {
  if (/-[A-Z0-9]{8}\.(js|css|svg)$/.test(file)) await rm(join(out, file));
}

const worker = await build({ ...common, entryPoints: ["src/graph/layout-worker.ts"] });
const layout = outputOf(worker, "src/graph/layout-worker.ts");
const page = await build({
  ...common,
  entryPoints: ["src/main.tsx", "src/styles/main.css", "src/icon.svg"],
  define: { LAYOUT_WORKER: JSON.stringify(`./${layout}`) },
});

const template = await readFile("index.html", "utf8");
const html = template
  .replace("%SCRIPT%", outputOf(page, "src/main.tsx"))
  .replace("%STYLE%", outputOf(page, "src/styles/main.css"))
  .replace("%ICON%", outputOf(page, "src/icon.svg"));
await writeFile(join(out, "index.html"), html);
await writeFile(join(out, "licenses.txt"), await licenses(worker, page));

function outputOf({ metafile }, entry) {
  const [file] = Object.entries(metafile.outputs).find(([, output]) =>
    output.entryPoint === entry || (entry.endsWith(".svg") && entry in output.inputs));
  return basename(file);
}

/** The licences of the packages that went into the bundles. */
async function licenses(...results) {
  const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs));
  const packages = new Set(inputs.map((path) =>
    path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean));
  const texts = [...packages].sort().map(async (name) => {
    const folder = join("node_modules", name);
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    if (!file) throw new Error(`${name} has no file with its licence`);
    return `${name}\n\n${await readFile(join(folder, file), "utf8")}`;
  });
  return (await Promise.all(texts)).join("\n\n---\n\n");
}
