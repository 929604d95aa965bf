// TypeScript 7 has no compiler API; this is an older one, bundled, whose `tsc` cannot take the real one's place.
export { ts as default } from '@ts-morph/common';
