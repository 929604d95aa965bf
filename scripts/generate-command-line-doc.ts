/** Writes `docs/command-line.md`, every command with its own help, from the program in `src/cli/run-cli.ts`. */
import { commandHelps } from './support/command-helps.ts';
import { writeOrCheck } from './support/generated-file.ts';

const INTRODUCTION = `# The command line

In a checkout, \`rungate\` is \`npm run -s rungate --\`: \`npm run -s rungate -- keys list\`. The entry is \`bin/rungate.js\`.

- Commands open the same database with the same [settings](settings.md) as the server, so they work with and without
  a running one, which notices a change within a second.
- People get text and tables. With \`--json\`, standard output is one JSON document and nothing else; where the command
  failed, it is \`{ "error": { "code", "message" } }\`. Complaints go to standard error. \`runs events --follow --json\`
  is the one exception: a document a line, for each event as it comes.
- \`rungate --version\` prints the version, \`--help\` behind any command what it takes.
- Exit status: \`0\` done, \`1\` failed, \`2\` wrong usage.
- A secret is never an argument and never printed: vendors' secrets come from standard input or an environment
  variable. A client key is shown once, when it is made.
- \`--sandbox\` works in the data directory of \`serve --sandbox\`, \`$RUNGATE_DATA_DIR/sandbox\`.`;

function render(): string {
  const sections = commandHelps().map(({ name, help }) => `## ${name}\n\n\`\`\`text\n${help}\n\`\`\``);
  return [INTRODUCTION, ...sections].join('\n\n');
}

await writeOrCheck({ path: 'docs/command-line.md', render }, import.meta.filename);
