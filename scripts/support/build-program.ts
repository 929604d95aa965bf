import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type OutputChunk } from 'rolldown';
import { reviveJson } from '../../src/core/json.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const ROOT = join(import.meta.dirname, '../..');
const LICENSE = 'LICENSE';

interface Bundle {
  /** What is begun by itself: its file's path without `.js`, and its source. */
  entries: Record<string, string>;
  format: 'esm' | 'cjs';
}

const PROGRAM: Bundle = {
  // The writer's thread is begun by its place beside the file that begins it.
  entries: { 'bin/rungate': 'bin/rungate.js', 'program/sqlite/writer-worker': 'src/store/sqlite/writer-worker.ts' },
  format: 'esm',
};
/** What the program loads by name and at once, where it needs it: the bundler does not see that, but Node.js finds it. */
const LOADED_BY_NAME = ['ajv/dist/2020.js'];
const PACKAGES: Bundle = {
  entries: Object.fromEntries(LOADED_BY_NAME.map((name) => [`node_modules/${name.replace(/\.js$/, '')}`, name])),
  format: 'cjs',
};
const LOADS_BY_NAME = /createRequire\(import\.meta\.url\)\(["']([^"']+)["']\)/g;

/**
 * Bundles the program and the packages that it needs into `directory`: a package that needs nothing but Node.js, with
 * `bin/rungate.js` and, in `program`, one file of what every start loads and others of what only some do. It takes the place of an
 * earlier build, and leaves what else is there. Throws where something would be missing, and has changed nothing then.
 */
export async function buildProgram(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const made = mkdtempSync(join(directory, '.build-'));
  try {
    const chunks = [...(await bundle(PROGRAM, made)), ...(await bundle(PACKAGES, made))];
    checkImports(chunks);
    copyFileSync(join(ROOT, LICENSE), join(made, LICENSE));
    writeFileSync(join(made, 'THIRD-PARTY-LICENSES'), thirdPartyLicenses(chunks.flatMap(({ moduleIds }) => moduleIds)));
    writeFileSync(join(made, 'package.json'), `${JSON.stringify(packageJson(), null, 2)}\n`);
    for (const name of readdirSync(made)) {
      rmSync(join(directory, name), { recursive: true, force: true });
      renameSync(join(made, name), join(directory, name));
    }
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Not minified: what the stack of an error names should be found in the source. */
async function bundle({ entries, format }: Bundle, directory: string): Promise<OutputChunk[]> {
  const { output } = await build({
    cwd: ROOT,
    input: entries,
    platform: 'node',
    // `bin/rungate.js` loads some of Node.js's own modules for their effect alone.
    treeshake: { moduleSideEffects: (id) => (isBuiltin(id) ? true : undefined) },
    logLevel: 'warn',
    output: { dir: directory, format, exports: 'named', chunkFileNames: 'program/[name]-[hash].js', cleanDir: false },
  });
  return output.filter((file) => file.type === 'chunk');
}

function checkImports(chunks: readonly OutputChunk[]): void {
  const own = new Set(chunks.map(({ fileName }) => fileName));
  const imported = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]);
  const loadedByName = chunks.flatMap(({ code }) => [...code.matchAll(LOADS_BY_NAME)].map(([, name = '']) => name));
  const missing = [
    ...imported.filter((name) => !own.has(name) && !isBuiltin(name)),
    ...loadedByName.filter((name) => !LOADED_BY_NAME.includes(name)),
  ];
  if (missing.length > 0) throw new Error(`the build lacks ${[...new Set(missing)].join(', ')}`);
}

function packageJson(): Record<string, unknown> {
  const { name, version, description, license, bin } = reviveJson<Record<string, unknown>>(
    readFileSync(join(ROOT, 'package.json'), 'utf8'),
  );
  return { name, version, description, license, private: true, type: 'module', engines: { node: '>=24' }, bin };
}
