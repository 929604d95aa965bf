/** A page ends early beyond this many characters: neither payloads nor events have another bound together. */
export const PAGE_LENGTH_MAX = 16_777_216;
