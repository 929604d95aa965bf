/** Marks every call to a vendor, so that a gateway that is its own vendor notices the loop. */
export const HOP_HEADER = 'rungate-hop';
