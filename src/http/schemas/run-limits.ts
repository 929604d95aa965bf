/** Bounds of what callers say of a run, the same where it is begun and where it is looked for. */
export const NAME_LENGTH_MAX = 200;
export const TAG_LENGTH_MAX = 64;
export const METADATA_PAIRS_MAX = 32;
export const METADATA_KEY_LENGTH_MAX = 64;
export const METADATA_VALUE_LENGTH_MAX = 512;

/** Runs on a page of a list. */
export const PAGE_DEFAULT = 20;
export const PAGE_MAX = 100;
