import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { build, type OutputChunk } from 'rolldown';
import { reviveJson } from '../../src/core/json.ts';
import { thirdPartyLicenses } from './third-party-licenses.ts';

const ROOT = join(import.meta.dirname, '../..');
const LICENSE = 'LICENSE';
const LAUNCHER = 'bin/rungate.js';
/** Of a build that is under way, or was cut short. */
const UNFINISHED = '.build-';
/** Where the launcher keeps what Node.js has compiled: of an earlier build, it is good for nothing. */
const CODE_CACHE = 'node_modules/.cache/rungate';

/**
 * Bundles the program and the packages that it needs into `directory`: a package that needs nothing but Node.js, with
 * `bin/rungate.js` and, in `program`, one file of what every start loads and others of what only some do. Its entries take the
 * place of those of an earlier build; what else lies in `directory` stays. `root`: of the checkout. Throws where the program would
 * miss something, and has changed nothing then.
 */
export async function buildProgram(directory: string, root = ROOT): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const made = mkdtempSync(resolve(directory, UNFINISHED));
  try {
    const chunks = await bundle(root, made);
    chmodSync(join(made, LAUNCHER), 0o777 & ~process.umask());
    copyFileSync(join(root, LICENSE), join(made, LICENSE));
    writeFileSync(join(made, 'THIRD-PARTY-LICENSES'), thirdPartyLicenses(chunks.flatMap(({ moduleIds }) => moduleIds)));
    writeFileSync(join(made, 'package.json'), `${JSON.stringify(packageJson(root), null, 2)}\n`);
    for (const name of readdirSync(made)) {
      rmSync(join(directory, name), { recursive: true, force: true });
      renameSync(join(made, name), join(directory, name));
    }
    rmSync(join(directory, CODE_CACHE), { recursive: true, force: true });
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  for (const name of readdirSync(directory)) {
    if (name.startsWith(UNFINISHED)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

/** Not minified: what the stack of an error names should be found in the source. */
async function bundle(root: string, directory: string): Promise<OutputChunk[]> {
  const { output } = await build({
    cwd: root,
    // The writer's thread is begun by its place beside the file that begins it.
    input: { 'bin/rungate': LAUNCHER, 'program/sqlite/writer-worker': 'src/store/sqlite/writer-worker.ts' },
    platform: 'node',
    // Else it only warns of a package that is not there, and leaves it out.
    onLog(level, log, next) {
      if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
      next(level, log);
    },
    output: { dir: directory, chunkFileNames: 'program/[name]-[hash].js', cleanDir: false },
  });
  return output.filter((file) => file.type === 'chunk');
}

function packageJson(root: string): Record<string, unknown> {
  const { name, version, description, license, bin } = reviveJson<Record<string, unknown>>(
    readFileSync(join(root, 'package.json'), 'utf8'),
  );
  return { name, version, description, license, private: true, type: 'module', engines: { node: '>=24' }, bin };
}
