/** Of a credential or a target beside the others: whole numbers, of which nobody needs more than this. */
export const WEIGHT_MAX = 1000;
