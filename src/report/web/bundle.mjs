// SPDX-License-Identifier: Apache-2.0
// Bundles src/ into one page, cut in two where the data of a report comes. Usage: node bundle.mjs CACHE
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const sources = dirname(fileURLToPath(import.meta.url));
const cache = resolve(process.argv[2]);
const esbuild = createRequire(join(cache, 'package.json'))('esbuild');

const build = (notices) =>
  esbuild.build({
    entryPoints: [join(sources, 'src/main.ts')],
    absWorkingDir: sources,
    nodePaths: [join(cache, 'node_modules')],
    outdir: cache,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'iife',
    target: ['chrome110', 'firefox115', 'safari17'],
    charset: 'utf8',
    legalComments: 'none', // all of them are in the notices
    define: { NOTICES: JSON.stringify(notices) },
    logLevel: 'warning',
  });

// What is bundled, from the inputs themselves; a package without a licence text fails the build.
function noticesOf(metafile) {
  const packages = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) packages.add(resolve(sources, found[1]));
  }
  return [...packages]
    .sort()
    .map((path) => {
      const about = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
      const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name));
      if (!file) throw new Error(`${about.name} has no licence text`);
      return `${about.name} ${about.version} (${about.license})\n\n${readFileSync(join(path, file), 'utf8').trim()}\n`;
    })
    .join('\n----\n\n');
}

const hash = (text) => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;

const notices = noticesOf((await build('')).metafile);
const { outputFiles } = await build(notices);
const text = (suffix) => outputFiles.find((file) => file.path.endsWith(suffix)).text.trim();
const script = text('.js');
const style = text('.css');
if (/<\/(script|style)|<!--/i.test(script + style))
  throw new Error('the bundle would end its own element');

// Nothing is loaded, sent, framed or evaluated; no text ever becomes markup, not even by mistake.
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');
const page = readFileSync(join(sources, 'index.html'), 'utf8');
const filled = page
  .replace('POLICY', () => policy)
  .replace('STYLE', () => style)
  .replace('SCRIPT', () => script);
const [head, tail, ...more] = filled.split(/^DATA/m);
if (tail === undefined || more.length) throw new Error('index.html needs DATA exactly once');
writeFileSync(join(cache, 'report.head.html'), head);
writeFileSync(join(cache, 'report.tail.html'), tail);
writeFileSync(join(cache, 'third-party.txt'), notices);
