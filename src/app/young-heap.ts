import { setFlagsFromString } from 'node:v8';

/**
 * `bin/rungate.js` keeps V8's young heap at its first size while the program is loaded and wired. From here on it grows with
 * what the runs need: twice as large each time, V8's own default. Without `bin/rungate.js` this changes nothing.
 */
export function letYoungHeapGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
